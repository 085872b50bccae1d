/** Consumers of RocketMQ's own client library in a process of their own. */
import { spawn } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { cleanUp, type Scope } from './clean-up.js'
import { clientClassPath, type Generation } from './java-build.js'
import { type LineClient, talkTo } from './line-client.js'

/** Starts the process, with more flags for Java if there are any; it ends with the test. */
export async function startConsumers(
  t: Scope,
  generation: Generation,
  names: string,
  ...more: readonly string[]
): Promise<LineClient> {
  const classPath = clientClassPath(generation)
  const home = mkdtempSync(join(tmpdir(), 'mqlite-consumers-'))
  cleanUp(t, () => rmSync(home, { recursive: true, force: true }))
  mkdirSync(join(home, 'conf'))
  const silence = join(home, 'conf', 'silent.xml')
  writeFileSync(silence, '<configuration><root level="OFF"/></configuration>')
  const flags = ['-Xmx128m', '-XX:-UsePerfData', '-XX:TieredStopAtLevel=1', `-Duser.home=${home}`, `-Djava.io.tmpdir=${home}`]
  const logs = [`-Drmq.logback.configurationFile=${silence}`, '-Drocketmq.client.logUseSlf4j=true']
  const line = [...flags, ...logs, ...more, '-cp', classPath, 'Consumers', names]
  return talkTo(t, spawn('java', line, { stdio: ['pipe', 'pipe', 'pipe'] }))
}
