/**
 * Options by their names, for programs that no compiler has read: one that is misspelled would stay at its default, and nobody would know.
 *
 * @module
 */

/** Every option that there is, so that a compiler finds the one that is missing here. */
export type KnownOptions<Options> = { readonly [Option in keyof Options]-?: true };

/**
 * Refuse options that there are not.
 *
 * @param where - what they are options of, e.g. `tlb`
 * @param given - the options that were given
 * @param known - those that there are
 * @throws RangeError `tlb.entrys: there is no such option, only entries, ways`
 */
export function needKnownOptions<Options extends object>(
  where: string,
  given: Options,
  known: KnownOptions<Options>,
): void {
  const unknown = Object.keys(given).find((name) => !Object.hasOwn(known, name));
  if (unknown === undefined) return;
  const names = Object.keys(known).join(", ");
  throw new RangeError(`${where}.${unknown}: there is no such option, only ${names}`);
}
