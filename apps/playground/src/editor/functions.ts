/** The functions that a program sees, as a reader of a declaration would have them: for completion, hints and the help beside the editor. */

/** A function, or a number. */
export interface ProgramFunction {
  /** Its name. */
  readonly name: string;
  /** Parameters and what comes back, in TypeScript. */
  readonly signature: string;
  /** What it does, in a sentence. */
  readonly says: string;
}

/** In the order in which a program needs them. */
export const FUNCTIONS: readonly ProgramFunction[] = [
  {
    name: "sparse",
    signature: "(size: number, options?: { va: number }): Range",
    says: "A sparse resource: addresses that may be touched where nothing is bound. The user-mode driver says it in its way.",
  },
  {
    name: "range",
    signature: "(size: number, options?: { va: number }): Range",
    says: "Plain addresses with nothing in them; no driver is told.",
  },
  {
    name: "memory",
    signature: "(size: number): Memory",
    says: "An object with memory, mapped at an address of its own as well, as user-mode drivers do it.",
  },
  {
    name: "bind",
    signature: "(at: Address, size: number, memory: Memory, offset?: number): void",
    says: "vkQueueBindSparse: bind memory in a sparse resource.",
  },
  {
    name: "unbind",
    signature: "(at: Address, size: number): void",
    says: "vkQueueBindSparse without memory: nothing is bound there any more.",
  },
  {
    name: "map",
    signature: "(at: Address, size: number, memory: Memory, offset?: number): void",
    says: "One mapping, anywhere, over whatever is there.",
  },
  {
    name: "unmap",
    signature: "(at: Address, size: number): void",
    says: "Take away whatever is mapped in a range.",
  },
  {
    name: "repeat",
    signature: "(at: Address, size: number, memory: Memory, window: number, offset?: number): void",
    says: "Map a window of memory over and over: one operation where the driver has it, else one for each window.",
  },
  {
    name: "read",
    signature: "(at: Address): void",
    says: "The GPU loads a 32-bit word; the answer is what it finds.",
  },
  {
    name: "write",
    signature: "(at: Address, value: number): void",
    says: "The GPU stores a 32-bit word; the answer is where it goes.",
  },
  {
    name: "vmBind",
    signature: "(driver: string, ops: Operation[]): void",
    says: "One driver's own operations, as its vmBind takes them; the others leave it out.",
  },
  {
    name: "destroy",
    signature: "(range: Range): void",
    says: "A range goes, whatever is bound or mapped in it.",
  },
  {
    name: "free",
    signature: "(memory: Memory): void",
    says: "Free memory, as the user-mode driver does it.",
  },
  {
    name: "evict",
    signature: "(memory: Memory): void",
    says: "The kernel takes the pages of memory away, as under memory pressure.",
  },
  {
    name: "submit",
    signature: "(): void",
    says: "What a submission does before its job runs: evicted memory comes back.",
  },
  { name: "KiB", signature: ": number", says: "1024 bytes." },
  { name: "MiB", signature: ": number", says: "1024 KiB." },
  { name: "GiB", signature: ": number", says: "1024 MiB." },
];
