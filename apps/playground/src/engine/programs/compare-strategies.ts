/** Two strategies on one workload: what each phase costs them, what the GPU reads, and what it comes down to. */

import type { QuirkProfile } from "@vmbind/drm";
import { compare, LocalEngine, type SemanticsAnswer, SHOWN_FIGURES, sparseStrategy } from "@vmbind/lab";
import type { Turn } from "../turn.ts";

/** What is asked. */
export interface CompareTwo {
  /** Names of two strategies. */
  readonly pair: readonly [string, string];
  /** Name of a workload of the laboratory. */
  readonly workload: string;
  /** The kernel of both. */
  readonly kernel: QuirkProfile;
}

/** A figure of both; null for one whose strategy cannot run the workload. */
interface TwoFigures {
  readonly title: string;
  readonly values: readonly [number | null, number | null];
}

/** What is answered. */
export interface TwoCompared extends CompareTwo {
  /** The workload in one sentence. */
  readonly description: string;
  /** Figures of the whole, and of each phase. */
  readonly phases: readonly { readonly phase: string; readonly figures: readonly TwoFigures[] }[];
  /** Each question with both answers; `ok` is null where no rule has a say. */
  readonly questions: readonly {
    readonly question: string;
    readonly answers: readonly [Verdict | null, Verdict | null];
  }[];
  /** Sentences computed from all of it. */
  readonly findings: readonly string[];
  /** What each comes down to, one sentence a line. */
  readonly verdicts: readonly (readonly string[])[];
  /** Why one of them did not run the workload. */
  readonly leftOut: readonly string[];
}

type Verdict = Pick<SemanticsAnswer, "answer" | "ok">;

const PHASES = ["create", "memory", "bind", "wait-idle", "destroy", "free", "run"] as const;

/**
 * @param request - which two, and on what
 * @param turn - is told of each job
 * @throws RangeError for a strategy or a workload that there is not
 */
export async function compareStrategies(request: CompareTwo, turn: Turn): Promise<TwoCompared> {
  const { pair, workload, kernel } = request;
  const strategies = [...new Set(pair)].map((name) => sparseStrategy(name));
  const engine = new LocalEngine(async () => null);
  const wanted = { strategies, workloads: [workload], kernel };
  const { lab, leftOut } = await compare(engine, wanted, (name) => turn.progress(name));
  const both = <T>(of: (name: string) => T | null): [T | null, T | null] => [of(pair[0]), of(pair[1])];
  const costs = both((name) => lab.costs.find(({ strategy }) => strategy === name) ?? null);
  const figuresOf = (of: (cost: (typeof lab.costs)[number]) => object | undefined): TwoFigures[] =>
    SHOWN_FIGURES.map(([figure, title]): TwoFigures => {
      const figureOf = (cost: (typeof costs)[number]): number | null => {
        const values = cost && new Map<string, unknown>(Object.entries(of(cost) ?? {}));
        const value = values?.get(figure);
        return typeof value === "number" ? value : null;
      };
      return { title, values: [figureOf(costs[0]), figureOf(costs[1])] };
    }).filter(({ values }) => values.some((value) => value !== null && value !== 0));
  return {
    ...request,
    description: (costs[0] ?? costs[1])?.description ?? "",
    phases: [
      { phase: "all together", figures: figuresOf((cost) => cost.total) },
      ...PHASES.map((phase) => ({ phase, figures: figuresOf((cost) => cost.phases[phase]) })),
    ].filter(({ figures }) => figures.length > 0),
    questions: [...new Map(lab.semantics.map(({ id, question }) => [id, question]))].map(
      ([id, question]) => ({
        question,
        answers: both((name) => lab.semantics.find((one) => one.strategy === name && one.id === id) ?? null),
      }),
    ),
    findings: lab.findings.map(({ text }) => text),
    verdicts: pair.map(
      (name) => lab.verdicts.find(({ strategy }) => strategy === name)?.lines.map(({ text }) => text) ?? [],
    ),
    leftOut: leftOut.map(({ strategy, why }) => `${strategy}: ${why}`),
  };
}
