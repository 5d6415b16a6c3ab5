/** The other end of serve.mjs: runs a command line in a process that may die of it. */
import { type ChildProcess, fork } from "node:child_process";
import { fileURLToPath } from "node:url";

/** What a command line came to. */
export interface Outcome {
  status: number;
  /** The first MiB of standard output. */
  out: string;
  err: string;
  cpuMs: number;
  /** Most memory that the process ever had. */
  rssMib: number;
}

/** What the process died of. */
export interface Death {
  death: string;
}

const PROGRAM = fileURLToPath(new URL("serve.mjs", import.meta.url));

/** One process at a time; a fresh one after a death, and when the old one has grown. */
export class Server {
  readonly #waitMs: number;
  readonly #heapMib: number;
  #process: ChildProcess | null = null;
  #stderr = "";

  constructor(waitMs: number, heapMib: number) {
    this.#waitMs = waitMs;
    this.#heapMib = heapMib;
  }

  async run(argv: readonly string[]): Promise<Outcome | Death> {
    const child = this.#process ?? this.#start();
    const answer = await new Promise<Outcome | Death>((resolve) => {
      const timer = setTimeout(() => resolve({ death: `no answer in ${this.#waitMs} ms` }), this.#waitMs);
      const done = (outcome: Outcome | Death): void => {
        clearTimeout(timer);
        child.removeAllListeners("message").removeAllListeners("exit");
        resolve(outcome);
      };
      child.once("message", (message) => done(message as Outcome));
      child.once("exit", (code, signal) => done({ death: `${signal ?? code}: ${this.#stderr.slice(-300)}` }));
      child.send(argv);
    });
    if ("death" in answer || answer.rssMib > 700) this.stop();
    return answer;
  }

  stop(): void {
    this.#process?.kill("SIGKILL");
    this.#process = null;
  }

  #start(): ChildProcess {
    const execArgv = [`--max-old-space-size=${this.#heapMib}`];
    const child = fork(PROGRAM, [], { execArgv, stdio: ["ignore", "ignore", "pipe", "ipc"] });
    this.#stderr = "";
    child.stderr?.on("data", (data) => {
      this.#stderr = (this.#stderr + data).slice(-2000);
    });
    this.#process = child;
    return child;
  }
}
