/**
 * What an *update* is made of: a run of entries of one table that the GPU can reach, as five numbers of a list, and values in a
 * buffer beside it.
 *
 * @module
 */

/** Fields of an update: table, first entry, entries, directory entries among these, first word of the values. */
export const UPDATE = 5;
/** Slot of the table. */
export const SLOT = 0;
/** Its first entry to overwrite. */
export const OFS = 1;
/** How many entries. */
export const QWORDS = 2;
/** How many of them point, or pointed, to tables. */
export const DIRS = 3;
/** Where the values are, or {@link CLEAR}, {@link ZERO}, or {@link REPEAT} less the place of one value for all. */
export const DATA = 4;
/** Value of {@link DATA}: overwrite with the level's empty entry. */
export const CLEAR = -1;
/** Value of {@link DATA}: overwrite with 0, also where that is not the empty entry. */
export const ZERO = -2;
/** Values of {@link DATA} from here down: one value, that many words below, fills all entries. */
export const REPEAT = -3;
