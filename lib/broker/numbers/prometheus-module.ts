/** The part of `prom-client` that the adapter uses, so that mqlite does not depend on it. */

/** A metric with labels. */
export interface PrometheusGauge {
  /** Forgets all values. */
  reset(): void
  /** Sets the value for some labels. */
  set(labels: Record<string, string>, value: number): void
}

/** A count with labels. */
export interface PrometheusCounter {
  /** Forgets all values. */
  reset(): void
  /** Adds to the value for some labels. */
  inc(labels: Record<string, string>, value: number): void
}

/** How a metric is made. */
export interface PrometheusConfiguration<Registry> {
  /** Its name. */
  name: string
  /** What it means. */
  help: string
  /** The names of its labels. */
  labelNames: string[]
  /** Where it is registered. */
  registers: Registry[]
  /** Called before it is read. */
  collect: () => Promise<void>
}

/** What `import * as client from 'prom-client'` gives. */
export interface PrometheusModule<Registry> {
  /** Values that go up and down. */
  readonly Gauge: new (
    configuration: PrometheusConfiguration<Registry>,
  ) => PrometheusGauge
  /** Values that only grow. */
  readonly Counter: new (
    configuration: PrometheusConfiguration<Registry>,
  ) => PrometheusCounter
  /** Where metrics are registered when nothing else is said. */
  readonly register: Registry
}
