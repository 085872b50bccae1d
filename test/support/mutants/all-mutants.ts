/** Every mutant. */
import { byteMutants } from './byte-mutants.js'
import { filterMutants } from './filter-mutants.js'
import { logMutants } from './log-mutants.js'
import type { Mutant } from './mutant.js'
import { storeMutants } from './store-mutants.js'

/** See the head of this file. */
export const mutants: readonly Mutant[] = [...logMutants, ...storeMutants, ...byteMutants, ...filterMutants]
