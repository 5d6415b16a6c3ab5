/**
 * `vmbind verify`: conformance vectors against the models.
 *
 * @module
 */

import { DrmError, type QuirkProfile, RECORDED_PROFILE } from "@vmbind/drm";
import type { Mismatch, VectorCheck } from "@vmbind/gpuvm-core/conformance";
import { type Budgets, type EndOptions, InputError, oneLine, valueInWords, visible } from "@vmbind/trace";
import type { CommandInput } from "../command.ts";
import { BENCH_DRIVERS } from "../drivers/table.ts";
import { ModelError } from "../errors.ts";
import { endOf } from "../files/ends.ts";
import { forEachInput } from "../files/inputs.ts";
import { asKind } from "../files/kinds.ts";
import { openVectors } from "../files/vector-file.ts";
import { type Io, listing } from "../io.ts";
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

/** Runs the command; see {@link COMMANDS} for what it does. */
export async function run({ options, operands, budgets }: CommandInput, io: Io): Promise<number> {
  const checks = await vectorChecks();
  const progress = new Progress(io);
  return forEachInput(operands, "verify", io, async (file) => {
    const onCase = (done: number): void => progress.show(() => `${file}: ${done} cases`);
    const atEnd = endOf(file, "verify", progress);
    const result = await asKind("vectors", file, () => verifyFile(file, checks, { onCase, budgets, atEnd }));
    progress.done();
    io.out(options["json"] ? `${JSON.stringify(result)}\n` : listing(io, describe(result)));
    return result.failed === 0;
  });
}

/** How a file is verified. */
export interface VerifyOptions {
  /** Told after each case how many there were. */
  onCase?: (done: number) => void;
  /** Amounts other than the standard ones. */
  budgets?: Budgets | undefined;
  /** What is done about the file's end line. */
  atEnd?: EndOptions;
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
  checks: ReadonlyMap<string, FormatCheck>,
  { onCase = () => {}, budgets, atEnd }: VerifyOptions = {},
): Promise<VerifyResult> {
  const { header, cases } = await openVectors(file, budgets, atEnd);
  const known = checks.get(header.format);
  if (!known) {
    const formats = [...checks.keys()].sort().join(", ");
    throw new InputError(
      file,
      1,
      `header.format: no check for ${valueInWords(header.format)}; there are ${formats}`,
    );
  }
  const { check, ...profile } = known;
  const tally = { passed: 0, failed: 0, firstMismatch: null };
  const result: VerifyResult = { file, format: header.format, ...profile, ...tally };
  for await (const { line, value } of cases) {
    const mismatch = runCase(check, value, header, file, line);
    if (mismatch === null) {
      result.passed++;
    } else {
      result.failed++;
      const id = typeof value["id"] === "string" ? value["id"] : null;
      result.firstMismatch ??= { line, id, ...mismatch };
    }
    onCase(result.passed + result.failed);
  }
  return result;
}

/**
 * What is not of the format is the file's mistake, and the check says so with a `DrmError`. Whatever else it throws is ours, and no
 * difference either: nobody knows what the model would have answered.
 */
function runCase(
  check: VectorCheck,
  testCase: Record<string, unknown>,
  header: Parameters<VectorCheck>[1],
  file: string,
  line: number,
): Mismatch | null {
  try {
    return check(testCase, header);
  } catch (error) {
    const id = typeof testCase["id"] === "string" ? `case ${testCase["id"]}: ` : "";
    if (error instanceof DrmError) throw new InputError(file, line, `${id}${error.reason}`);
    throw new ModelError(`${file}:${line}: ${id}${header.format}`, error);
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

/** The check of a format. */
export interface FormatCheck {
  /** Checks a case. */
  check: VectorCheck;
  /** The profile of quirks that the model has under it; absent where no driver takes part. */
  quirks?: QuirkProfile;
}

/** Every check by the format name that vector files carry. */
async function vectorChecks(): Promise<ReadonlyMap<string, FormatCheck>> {
  const { vectorChecks: core } = await import("@vmbind/gpuvm-core/conformance");
  const drivers = await Promise.all(BENCH_DRIVERS.map(({ conformance }) => conformance()));
  return new Map([
    ...Object.entries(core).map(([format, check]) => [format, { check }] as const),
    ...drivers
      .flatMap((checks) => Object.entries(checks))
      .map(([format, check]) => [format, { check, quirks: RECORDED_PROFILE }] as const),
  ]);
}
