/** Directories that are made with those above them, by one and by two at once. */
import assert from 'node:assert/strict'
import { statSync, writeFileSync } from 'node:fs'
import { test } from 'node:test'
import { Worker } from 'node:worker_threads'
import { DiskError } from '../../lib/disk/disk.js'
import { nodeDisk } from '../../lib/disk/node-disk.js'
import { inDirectory } from '../support/scratch.js'

const TIMES = 500

/** Makes one directory after the other, each in the moment in which the other thread makes it. */
const maker = `
  const { parentPort, workerData: { module, path, shared } } = require('node:worker_threads')
  const arrived = new Int32Array(shared)
  import(module).then(({ nodeDisk }) => {
    const failed = []
    for (let i = 1; i <= ${TIMES}; i++) {
      Atomics.add(arrived, 0, 1)
      while (Atomics.load(arrived, 0) < 2 * i);
      try {
        nodeDisk.makeDirectory(path + '/' + i + '/a/b')
      } catch (error) {
        failed.push(error.message)
      }
    }
    parentPort.postMessage(failed)
  })`

test('a directory is made with those above it, or why it cannot be is told', async () => {
  await inDirectory('make', async (path) => {
    nodeDisk.makeDirectory(`${path}/a/b/c`)
    nodeDisk.makeDirectory(`${path}/a/b/c`)
    assert.ok(statSync(`${path}/a/b/c`).isDirectory())
    writeFileSync(`${path}/file`, '')
    for (const place of [`${path}/file`, `${path}/file/a`, '/proc/mqlite', '/proc/mqlite/a'])
      assert.throws(() => nodeDisk.makeDirectory(place), DiskError, place)
  })
})

test('two who make the same directory at the same time both find it made', async () => {
  await inDirectory('make', async (path) => {
    const module = new URL('../../lib/disk/node-disk.js', import.meta.url).href
    const shared = new SharedArrayBuffer(4)
    const results = [1, 2].map(() => {
      const worker = new Worker(maker, { eval: true, workerData: { module, path, shared } })
      return new Promise<unknown>((resolve, reject) => worker.once('message', resolve).once('error', reject))
    })
    assert.deepEqual(await Promise.all(results), [[], []])
  })
})
