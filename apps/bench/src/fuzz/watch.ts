/**
 * The fuzzer's examiner, looking on while a trace is replayed.
 *
 * @module
 */

import type { MakeWatch } from "@vmbind/trace";
import { callOf } from "./call.ts";
import { Examiner } from "./examiner.ts";
import type { FuzzDriver } from "./fuzz-driver.ts";

/**
 * @param driver - what the fuzzer knows of the trace's driver
 * @returns watches each ioctl of a replay as `vmbind fuzz` does
 */
export function examine(driver: FuzzDriver): MakeWatch {
  return (make, machine) => {
    const examiner = new Examiner(driver, make, { every: 1 }, machine);
    return {
      files: examiner.files,
      file: (index) => examiner.file(index),
      before: (call) => examiner.before(call),
      issue: (call) => examiner.issue(callOf(call)),
    };
  };
}
