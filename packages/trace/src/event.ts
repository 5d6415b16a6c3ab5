/**
 * What happens to a device without an ioctl: a fence of somebody else signals, the shrinker takes an object's memory, an
 * allocation fails, a process dies. Recordings have none of it but `file-close`; traces that `vmbind fuzz` writes say it in marks, one
 * event each, in words and plain integers:
 *
 * ```text
 * fence FILE SYNCOBJ N    fence N, which another device will signal, is put into a syncobj of a file
 * signal N                fence N signals
 * evict FILE HANDLE       an object's memory is taken; handle 0 is what lies behind the file's sparse ranges
 * restore FILE            what was taken is given back to the VMs of a file, as before a job
 * share FROM HANDLE TO    an object is exported by one file and imported by another
 * fault N                 of the allocations from here on the Nth fails, once; 0 for none
 * must-succeed            the next ioctl has to succeed
 * file-close FILE         a file is closed, with whatever it holds
 * ```
 *
 * @module
 */

/** Something that happens to a device. Files have numbers, handles are those of the file. */
export type TraceEvent =
  | {
      /** See the module's table. */
      readonly kind: "fence";
      /** The file whose syncobj it is put into. */
      readonly file: number;
      /** Handle of the syncobj. */
      readonly syncobj: number;
      /** Number of the fence in this trace. */
      readonly fence: number;
    }
  | {
      /** See the module's table. */
      readonly kind: "signal";
      /** Number of the fence. */
      readonly fence: number;
    }
  | {
      /** See the module's table. */
      readonly kind: "evict";
      /** The file. */
      readonly file: number;
      /** Handle of the object; 0 for what lies behind sparse ranges. */
      readonly handle: number;
    }
  | {
      /** See the module's table. */
      readonly kind: "restore";
      /** The file. */
      readonly file: number;
    }
  | {
      /** See the module's table. */
      readonly kind: "share";
      /** The file that exports. */
      readonly from: number;
      /** Handle of the object in it. */
      readonly handle: number;
      /** The file that imports. */
      readonly to: number;
    }
  | {
      /** See the module's table. */
      readonly kind: "fault";
      /** Which allocation from here on fails, from 1; 0 for none. */
      readonly nth: number;
    }
  | {
      /** See the module's table. */
      readonly kind: "must-succeed";
    }
  | {
      /** See the module's table. */
      readonly kind: "close";
      /** The file. */
      readonly file: number;
    };

/** With how many numbers a word comes, and what it says with them. */
type EventWord = readonly [numbers: number, make: (a: number, b: number, c: number) => TraceEvent];

const EVENTS: ReadonlyMap<string, EventWord> = new Map<string, EventWord>([
  ["fence", [3, (file, syncobj, fence) => ({ kind: "fence", file, syncobj, fence })]],
  ["signal", [1, (fence) => ({ kind: "signal", fence })]],
  ["evict", [2, (file, handle) => ({ kind: "evict", file, handle })]],
  ["restore", [1, (file) => ({ kind: "restore", file })]],
  ["share", [3, (from, handle, to) => ({ kind: "share", from, handle, to })]],
  ["fault", [1, (nth) => ({ kind: "fault", nth })]],
  ["must-succeed", [0, () => ({ kind: "must-succeed" })]],
  ["file-close", [1, (file) => ({ kind: "close", file })]],
]);

/** Nine digits are more than any file needs, and are exact. */
const NUMBERS = /^(?: \d{1,9}){0,3}$/;

/**
 * @param mark - text of a mark
 * @returns the event that it says; null at marks that are for people, such as one with a number too many
 */
export function eventOf(mark: string): TraceEvent | null {
  const blank = mark.indexOf(" ");
  const word = blank < 0 ? mark : mark.slice(0, blank);
  const event = EVENTS.get(word);
  // Nearly all marks of a recording are for people.
  if (event === undefined) return null;
  const rest = mark.slice(word.length);
  const said = rest.split(" ").slice(1).map(Number);
  const [numbers, make] = event;
  if (!NUMBERS.test(rest) || said.length !== numbers) return null;
  const [a = 0, b = 0, c = 0] = said;
  return make(a, b, c);
}

/**
 * @param event - an event
 * @returns the text of the mark that says it
 */
export function eventMark(event: TraceEvent): string {
  switch (event.kind) {
    case "fence":
      return `fence ${event.file} ${event.syncobj} ${event.fence}`;
    case "signal":
      return `signal ${event.fence}`;
    case "evict":
      return `evict ${event.file} ${event.handle}`;
    case "restore":
      return `restore ${event.file}`;
    case "share":
      return `share ${event.from} ${event.handle} ${event.to}`;
    case "fault":
      return `fault ${event.nth}`;
    case "must-succeed":
      return "must-succeed";
    case "close":
      return `file-close ${event.file}`;
  }
}

/**
 * @param event - an event
 * @returns it in words, for a story
 */
export function eventText(event: TraceEvent): string {
  switch (event.kind) {
    case "fence":
      return `syncobj ${event.syncobj} of file ${event.file} gets fence ${event.fence} of another device`;
    case "signal":
      return `fence ${event.fence} signals`;
    case "evict":
      return `the memory of ${objectText(event.handle)} of file ${event.file} is taken`;
    case "restore":
      return `what was taken from the VMs of file ${event.file} comes back`;
    case "share":
      return `BO ${event.handle} of file ${event.from} is exported, and imported by file ${event.to}`;
    case "fault":
      return event.nth === 0 ? "no allocation fails any more" : `allocation ${event.nth} from here fails`;
    case "must-succeed":
      return "the next call has to succeed";
    case "close":
      return `file ${event.file} is closed`;
  }
}

function objectText(handle: number): string {
  return handle === 0 ? "the object behind sparse ranges" : `BO ${handle}`;
}
