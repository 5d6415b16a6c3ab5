/**
 * `vmbind verify`: conformance vectors against the models.
 *
 * @module
 */

import { DrmError, type QuirkProfile } from "@vmbind/drm";
import type { Mismatch, TraceFormat, VectorCheck, VectorHeader } from "@vmbind/gpuvm-core/conformance";
import {
  type Budgets,
  type EndOptions,
  InputError,
  oneLine,
  UnreadableError,
  valueInWords,
  visible,
} from "@vmbind/trace";
import type { CommandInput } from "../command.ts";
import { ModelError } from "../errors.ts";
import { endOf } from "../files/ends.ts";
import { fileBytes } from "../files/file-bytes.ts";
import { type FileCut, forEachInput } from "../files/inputs.ts";
import { asKind } from "../files/kinds.ts";
import { namedTrace } from "../files/named-trace.ts";
import { type FormatChecks, VectorChecks } from "../files/vector-checks.ts";
import { openVectors } from "../files/vector-file.ts";
import { type Io, listing } from "../io.ts";
import { listOf, nearestName } from "../text/nearest.ts";
import { Progress } from "../text/progress.ts";

/** Longest value of a mismatch, UTF-16 units. */
const SHOWN_MAX = 400;

/** What one vector file came to. */
export interface VerifyResult {
  /** Path as given. */
  file: string;
  /** Format that the header names. */
  format: string;
  /** The profile of quirks that the model had, where the format is a driver's. A case may ask for further quirks. */
  quirks?: QuirkProfile;
  /** Cases that passed. */
  passed: number;
  /** Cases that failed. */
  failed: number;
  /** The first failure. */
  firstMismatch: CaseMismatch | null;
}

/** A case that failed. */
export interface CaseMismatch extends Mismatch {
  /** Line in the uncompressed file, from 1. */
  line: number;
  /** The case's own id, or null. */
  id: string | null;
}

/** Cases of a piece of a file that another machine may run. */
const CASES_OF_PIECE = 128;

/** A case that replays a recording takes as long as so many bytes of other cases. */
const RECORDING_WORK = 2 ** 20;

/** Runs the command; see {@link COMMANDS} for what it does. */
export async function run(input: CommandInput, io: Io): Promise<number> {
  const { options, budgets } = input;
  const checks = new VectorChecks();
  const progress = new Progress(io);
  const traces = typeof options["traces"] === "string" ? options["traces"] : undefined;
  return forEachInput(input, "verify", io, {
    cut: (file) => cutFile(file, checks),
    run: async (file, pieces) => {
      const onCase = (done: number): void => progress.show(() => `${file}: ${done} cases`);
      const atEnd = endOf(file, "verify", progress);
      const results = await asKind("vectors", file, () =>
        verifyPieces(file, checks, pieces, { onCase, budgets, atEnd, traces }),
      );
      progress.done();
      return results;
    },
    join: joined,
    show: (_, result) => {
      io.out(options["json"] ? `${JSON.stringify(result)}\n` : listing(io, describe(result)));
      return result.failed === 0;
    },
  });
}

/** As many pieces as its lines are; what cannot be read is one, and says why when it is run. */
async function cutFile(file: string, checks: FormatChecks): Promise<FileCut> {
  let bytes = 0;
  let lines = 0;
  try {
    const { header } = await openVectors(file);
    for await (const chunk of fileBytes(file)) {
      bytes += chunk.length;
      for (let at = chunk.indexOf(LINE_FEED); at >= 0; at = chunk.indexOf(LINE_FEED, at + 1)) lines++;
    }
    const check = await checks.get(header.format);
    if (check !== undefined && "traces" in check) return { pieces: 1, work: lines * RECORDING_WORK };
  } catch (error) {
    if (!(error instanceof InputError || error instanceof UnreadableError)) throw error;
    return { pieces: 1, work: 1 };
  }
  const pieces = Math.max(1, Math.ceil(lines / CASES_OF_PIECE));
  return { pieces, work: Math.ceil(bytes / pieces) };
}

const LINE_FEED = 10;

/** The sums, and the first failure: pieces are in the order of the file. */
function joined(pieces: readonly VerifyResult[]): VerifyResult {
  const sum = { ...(pieces[0] as VerifyResult) };
  for (const { passed, failed, firstMismatch } of pieces.slice(1)) {
    sum.passed += passed;
    sum.failed += failed;
    sum.firstMismatch ??= firstMismatch;
  }
  return sum;
}

/** How a file is verified. */
export interface VerifyOptions {
  /** Told after each case how many there were. */
  onCase?: (done: number) => void;
  /** Amounts other than the standard ones. */
  budgets?: Budgets | undefined;
  /** What is done about the file's end line. */
  atEnd?: EndOptions;
  /** Folder of the recordings that cases name; where they are looked for otherwise, see {@link namedTrace}. */
  traces?: string | undefined;
}

/**
 * Run all cases of a file.
 *
 * @param file - path
 * @param checks - by format
 * @param options - see {@link VerifyOptions}
 * @returns the tally
 * @throws {@link InputError} for an unreadable file, an unknown format, or a case that is not of the format; {@link ModelError} where the
 *   model breaks down over one that is
 */
export async function verifyFile(
  file: string,
  checks: FormatChecks,
  options: VerifyOptions = {},
): Promise<VerifyResult> {
  return joined(await verifyPieces(file, checks, null, options));
}

/** The same for some pieces of a file, a tally each; the file is read to its end, as its seal is about all of it. */
async function verifyPieces(
  file: string,
  checks: FormatChecks,
  pieces: readonly number[] | null,
  { onCase = () => {}, budgets, atEnd, traces }: VerifyOptions,
): Promise<VerifyResult[]> {
  const { header, cases } = await openVectors(file, budgets, atEnd);
  const known = await checks.get(header.format);
  if (!known) {
    const formats = [...(await checks.keys())].sort();
    const near = nearestName(header.format, formats);
    const hint = near === null ? `there are ${listOf(formats)}` : `did you mean ${near}?`;
    throw new InputError(file, 1, `header.format: no check for ${valueInWords(header.format)}; ${hint}`);
  }
  const profile = known.quirks === undefined ? {} : { quirks: known.quirks };
  const tally = { passed: 0, failed: 0, firstMismatch: null };
  const results = (pieces ?? [0]).map(
    (): VerifyResult => ({ file, format: header.format, ...profile, ...tally }),
  );
  // A file that replays recordings is one piece.
  const pieceOf = (number: number): number => ("traces" in known ? 0 : Math.floor(number / CASES_OF_PIECE));
  const answers = new Map<string, Mismatch | null>();
  let number = 0;
  let done = 0;
  for await (const batch of cases) {
    for (const { line, value } of batch) {
      const result = results[pieces === null ? 0 : pieces.indexOf(pieceOf(number))];
      number++;
      if (result === undefined) continue;
      const at = { file, line, header };
      const mismatch =
        "traces" in known
          ? await once(answers, value, async () =>
              runCase(await withTrace(known.traces, value, at, traces, budgets), value, at),
            )
          : runCase(known.check, value, at);
      if (mismatch === null) {
        result.passed++;
      } else {
        result.failed++;
        const id = typeof value["id"] === "string" ? value["id"] : null;
        result.firstMismatch ??= { line, id, ...mismatch };
      }
      onCase(++done);
    }
  }
  return results;
}

/** Where a case stands. */
interface CasePlace {
  readonly file: string;
  readonly line: number;
  readonly header: VectorHeader;
}

/** A case that names a recording is run once, however often it stands in its file: a line asks for seconds of work. */
async function once(
  answers: Map<string, Mismatch | null>,
  testCase: Record<string, unknown>,
  run: () => Promise<Mismatch | null>,
): Promise<Mismatch | null> {
  const text = JSON.stringify(testCase);
  const known = answers.get(text);
  if (known !== undefined) return known;
  const answer = await run();
  answers.set(text, answer);
  return answer;
}

/** The check of a case that is about a recording, which is read first: if the case names one. */
async function withTrace(
  { shape, check }: TraceFormat,
  testCase: Record<string, unknown>,
  { file, line }: CasePlace,
  folder: string | undefined,
  budgets: Budgets | undefined,
): Promise<VectorCheck> {
  const { caseFault, holdShape } = await import("@vmbind/gpuvm-core/conformance");
  if (caseFault(shape, testCase) !== null) {
    return () => {
      holdShape(shape, testCase);
      return null;
    };
  }
  const records = await namedTrace(testCase["trace"] as string, file, folder, line, budgets);
  return (value, header) => check(value, header, records);
}

/**
 * What is not of the format is the file's mistake, and the check says so with a `DrmError`. Whatever else it throws is ours, and no
 * difference either: nobody knows what the model would have answered.
 */
function runCase(
  check: VectorCheck,
  testCase: Record<string, unknown>,
  { file, line, header }: CasePlace,
): Mismatch | null {
  try {
    return check(testCase, header);
  } catch (error) {
    const id = typeof testCase["id"] === "string" ? `case ${testCase["id"]}: ` : "";
    if (error instanceof DrmError) throw new InputError(file, line, `${id}${error.reason}`);
    throw ModelError.over(file, line, `${id}${header.format}`, error);
  }
}

function describe({ file, quirks, passed, failed, firstMismatch }: VerifyResult): string {
  const profile = quirks === undefined ? "" : ` (quirks of ${quirks})`;
  const line = `${visible(file)}: ${passed} passed, ${failed} failed${profile}\n`;
  if (!firstMismatch) return line;
  const { id, field, expected, got } = firstMismatch;
  return (
    `${line}  first mismatch: ${id === null ? "" : `case ${visible(id)}, `}line ${firstMismatch.line}\n` +
    `    field     ${visible(field)}\n    expected  ${show(expected)}\n    got       ${show(got)}\n`
  );
}

function show(value: unknown): string {
  const text =
    typeof value === "string"
      ? value
      : JSON.stringify(value, (_, v) => (typeof v === "bigint" ? `0x${v.toString(16)}` : v));
  return text === undefined ? "nothing" : oneLine(text, SHOWN_MAX);
}
