/** Every decoder of lib that reads bytes or text from outside, with what must hold of it. */
import { authTargets } from './auth-targets.js'
import { entryTargets } from './entry-targets.js'
import { filterTargets } from './filter-targets.js'
import type { Target } from './fuzzer.js'
import { recordTargets } from './record-targets.js'
import { remotingTargets } from './remoting-targets.js'
import { textTargets } from './text-targets.js'

/** All targets, in the order in which they run. */
export const targets: readonly Target[] = [
  ...recordTargets,
  ...entryTargets,
  ...textTargets,
  ...filterTargets,
  ...remotingTargets,
  ...authTargets,
]
