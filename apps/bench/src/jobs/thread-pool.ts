/**
 * Worker threads that live as long as a command, each with one message at a time, in the order given.
 *
 * @module
 */

import type { Tinypool } from "tinypool";
import { YOUNG_MIB } from "../engine.ts";
import { codeOf, OutOfMemory } from "../errors.ts";

/** Threads that run one file; {@link ThreadPool.close} them. */
export class ThreadPool {
  readonly #pool: Tinypool;
  /** Rejected when a thread ends before the pool does. */
  readonly #died: Promise<never>;

  private constructor(pool: Tinypool) {
    this.#pool = pool;
    // The pool hears of a thread's errors, but waits for one that has ended without any.
    this.#died = new Promise<never>((_, reject) => {
      for (const thread of pool.threads) {
        thread.on("exit", (code) =>
          reject(new Error(`a worker thread ended with ${code}; --jobs 1 runs without any`)),
        );
      }
    });
    this.#died.catch(() => {});
  }

  /**
   * Start threads.
   *
   * @param threads - how many
   * @param file - a compiled module: what it exports by default answers a message
   * @param youngMib - of the young generation of each, in MiB
   */
  static async start(threads: number, file: URL, youngMib: number = YOUNG_MIB): Promise<ThreadPool> {
    // Not at the top: it is a module that a script of the bundle cannot require everywhere.
    const { Tinypool } = await import("tinypool");
    const resourceLimits = { maxYoungGenerationSizeMb: youngMib };
    const options = { minThreads: threads, maxThreads: threads, isolateWorkers: false, resourceLimits };
    return new ThreadPool(new Tinypool({ filename: file.href, ...options }));
  }

  /**
   * Send a message when a thread is free.
   *
   * @param message - what can be cloned
   * @returns the answer
   * @throws what the thread throws; {@link OutOfMemory} when it has no memory left; Error when it died
   */
  async send(message: object): Promise<unknown> {
    // A thread that has ended keeps nobody awake to hear of it.
    const awake = setInterval(() => {}, 2 ** 30);
    try {
      return await Promise.race([this.#pool.run(message), this.#died]);
    } catch (error) {
      if (codeOf(error) !== "ERR_WORKER_OUT_OF_MEMORY") throw error;
      throw new OutOfMemory(
        "out of memory in a worker thread; --jobs 1 needs the least, NODE_OPTIONS=--max-old-space-size=MIB gives each more",
      );
    } finally {
      clearInterval(awake);
    }
  }

  /** Stop the threads, whatever they are doing. */
  async close(): Promise<void> {
    // It would wait for ever for the end of a thread that has ended.
    await Promise.race([this.#pool.destroy(), this.#died.catch(() => {})]);
  }
}
