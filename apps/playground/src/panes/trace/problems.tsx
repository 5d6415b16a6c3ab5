/** What went wrong, first: causes, each with what follows from it folded; where the model differs from the recording. */

import { errnoName } from "@vmbind/drm";
import type { Opened } from "./index-of.ts";

type Failure = Opened["failures"][number];

/** See the module. */
export function Problems({ trace, choose }: { trace: Opened; choose: (seq: number) => void }) {
  const { failures, failureCount, differences, differenceCount } = trace;
  if (failureCount === 0 && differenceCount === 0) return null;
  const causes = failures.filter(({ cause }) => cause === null);
  const following = (seq: number): Failure[] => failures.filter(({ cause }) => cause === seq);
  return (
    <section class="problems" aria-label="what went wrong">
      {causes.length > 0 && (
        <>
          <h2>
            {failureCount} refused
            {failureCount > causes.length &&
              `, of ${causes.length} ${causes.length === 1 ? "cause" : "causes"}`}
          </h2>
          <ul class="causes">
            {causes.slice(0, 50).map((failure) => (
              <li key={failure.seq}>
                <Refusal failure={failure} choose={choose} />
                <Following failures={following(failure.seq)} choose={choose} />
              </li>
            ))}
          </ul>
          {causes.length > 50 && <p class="muted">… {causes.length - 50} more causes</p>}
        </>
      )}
      {differenceCount > 0 && (
        <details open={causes.length === 0}>
          <summary>
            The model differs from the recording in {differenceCount}{" "}
            {differenceCount === 1 ? "place" : "places"}
          </summary>
          <ul>
            {differences.map(({ seq, what, expected, got, reason }, i) => (
              <li key={i}>
                <Seq seq={seq} choose={choose} /> {what}: recorded {expected}, the model has {got}
                {reason ? `: ${reason}` : ""}
              </li>
            ))}
          </ul>
        </details>
      )}
    </section>
  );
}

function Refusal({ failure, choose }: { failure: Failure; choose: (seq: number) => void }) {
  const { seq, ioctl, ret, reason, isRecorded } = failure;
  return (
    <>
      <Seq seq={seq} choose={choose} /> {ioctl} <strong class="bad">{errnoName(ret)}</strong> {reason}
      {isRecorded && <span class="muted"> (recorded so)</span>}
    </>
  );
}

function Following({ failures, choose }: { failures: readonly Failure[]; choose: (seq: number) => void }) {
  if (failures.length === 0) return null;
  return (
    <details>
      <summary>
        {failures.length} {failures.length === 1 ? "follows" : "follow"} from it
      </summary>
      <ul>
        {failures.slice(0, 100).map((failure) => (
          <li key={failure.seq}>
            <Refusal failure={failure} choose={choose} /> <span class="muted">— {failure.because}</span>
          </li>
        ))}
      </ul>
      {failures.length > 100 && <p class="muted">… {failures.length - 100} more</p>}
    </details>
  );
}

/** A number that leads to its ioctl. */
export function Seq({ seq, choose }: { seq: number; choose: (seq: number) => void }) {
  return (
    <button type="button" class="address" onClick={() => choose(seq)}>
      #{seq}
    </button>
  );
}
