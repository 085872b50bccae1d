/** What a running server answers over HTTP: `/health` for who keeps it running, `/metrics` for Prometheus. */
import type { Clock } from '../base/system.js'
import type { Broker } from '../broker/broker.js'
import { PROMETHEUS_CONTENT_TYPE, prometheusText } from '../broker/numbers/prometheus.js'
import { DiskError } from '../disk/disk.js'
import { nodeDisk } from '../disk/node-disk.js'
import { type Page, plainPage } from '../remoting/http.js'

/** Whether messages are taken and given, or why not. */
export type HealthStatus = 'ok' | 'starting' | 'readOnly' | 'diskFull' | 'failed' | 'stopping'

/** What the pages tell of; `serve` keeps it up to date. */
export class Watched {
  readonly #clock: Clock
  readonly #startedAt: number
  readonly #facts: { readonly version: string; readonly directory: string; readonly cluster: string }
  #broker: Broker | undefined
  #progress: { readonly doneBytes: number; readonly totalBytes: number } | undefined
  #isFull = false
  #isStopping = false

  constructor(facts: { readonly version: string; readonly directory: string; readonly cluster: string }, clock: Clock) {
    this.#facts = facts
    this.#clock = clock
    this.#startedAt = clock.monotonic()
  }

  /** Opening has come so far. */
  progress(progress: { readonly doneBytes: number; readonly totalBytes: number }): void {
    this.#progress = progress
  }

  /** The broker is open. */
  opened(broker: Broker): void {
    this.#broker = broker
    broker.store.on('diskFull', ({ full }) => {
      this.#isFull = full
    })
  }

  /** The end has begun. */
  stopping(): void {
    this.#isStopping = true
  }

  /** The pages by path. */
  get pages(): ReadonlyMap<string, () => Promise<Page> | Page> {
    return new Map<string, () => Promise<Page> | Page>([
      ['/health', () => this.#health()],
      ['/metrics', () => this.#metrics()],
    ])
  }

  /** How it is. */
  get status(): HealthStatus {
    if (this.#isStopping) return 'stopping'
    const status = this.#broker?.store.status
    if (status === undefined) return 'starting'
    if (status === 'open') return this.#isFull ? 'diskFull' : 'ok'
    return status === 'closing' || status === 'closed' ? 'stopping' : status
  }

  #health(): Page {
    const { status } = this
    const store = this.#broker?.store
    const { origin, durationMs = 0, corruption = [] } = store?.recovery ?? {}
    const recovery = { origin, durationMs: Math.round(durationMs), damagedRanges: corruption.length }
    const document = {
      status,
      version: this.#facts.version,
      uptimeMs: Math.round(this.#clock.monotonic() - this.#startedAt),
      store: store?.status ?? null,
      recovery: store === undefined ? (this.#progress ?? null) : recovery,
      disk: this.#disk(),
    }
    const body = `${JSON.stringify(document, null, 2)}\n`
    return { status: status === 'ok' ? 200 : 503, contentType: 'application/json', body }
  }

  #disk() {
    try {
      const { freeBytes, totalBytes } = nodeDisk.space(this.#facts.directory)
      const usedShare = totalBytes === 0 ? 0 : Number(((totalBytes - freeBytes) / totalBytes).toFixed(4))
      return { freeBytes, totalBytes, usedShare, isFull: this.#isFull }
    } catch (error) {
      // Before the directory is made there is none to ask about.
      return error instanceof DiskError ? { error: error.code } : null
    }
  }

  async #metrics(): Promise<Page> {
    if (this.#broker === undefined || this.#isStopping) return plainPage(503, this.status)
    const body = await prometheusText(this.#broker, { cluster: this.#facts.cluster })
    return { status: 200, contentType: PROMETHEUS_CONTENT_TYPE, body }
  }
}
