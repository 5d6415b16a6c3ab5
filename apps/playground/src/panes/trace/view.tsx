/** The trace pane: what went wrong, the time line, an ioctl, the address space behind it, and an address in it. */

import { useCallback, useMemo } from "preact/hooks";
import { useAnswer } from "../../ask.ts";
import type { Engine } from "../../engine/engine.ts";
import { embeddedTrace, RECORDINGS } from "../../recordings.ts";
import { type Pane, type PaneProps, pane } from "../pane.ts";
import { Address } from "./address.tsx";
import { CallView } from "./call.tsx";
import { CallList } from "./calls.tsx";
import { addressIn, type TraceIndex } from "./index-of.ts";
import { Problems } from "./problems.tsx";
import { OpeningNotes, SourceBar, useDrop, useTrace } from "./source.tsx";
import { Space } from "./space.tsx";
import { TRACE_STATE, type TraceState } from "./state.ts";
import "./style.css";
import { Timeline } from "./timeline.tsx";

type Setter = PaneProps<TraceState>["setState"];

function TraceView({ engine, state, setState }: PaneProps<TraceState>) {
  const name = state.trace || (embeddedTrace()?.name ?? "");
  const choose = useCallback(
    (trace: string) => setState({ trace, seq: null, vm: null, view: null, time: null, va: null, find: "" }),
    [setState],
  );
  const over = useDrop(choose);
  const opening = useTrace(engine, name);
  const { index } = opening;
  return (
    <div class="trace-pane">
      <SourceBar name={name} choose={choose} />
      <OpeningNotes name={name} opening={opening} />
      {index === null && name === "" && <Welcome choose={choose} />}
      {index !== null && <Whole engine={engine} index={index} state={state} setState={setState} />}
      {over && <div class="drop">Drop the trace</div>}
    </div>
  );
}

/** A few recordings that show much: of each driver the one of an image whose window moves. */
function Welcome({ choose }: { choose: (name: string) => void }) {
  const some = RECORDINGS.filter((name) => /^[a-z]+(-sparse)?-image-window$/.test(name));
  return (
    <section class="welcome">
      <h1>Look into a trace</h1>
      <p>
        Drop a recording of ioctls here (<code>.jsonl</code> or <code>.jsonl.gz</code>, as{" "}
        <code>vmbind record</code> and <code>vmbind live</code> write it), or begin with one that ships. The
        driver’s model runs it in this page; nothing is sent anywhere.
      </p>
      <ul>
        {some.map((name) => (
          <li key={name}>
            <button type="button" onClick={() => choose(name)}>
              {name}
            </button>
          </li>
        ))}
      </ul>
    </section>
  );
}

function Whole({
  engine,
  index,
  state,
  setState,
}: {
  engine: Engine;
  index: TraceIndex;
  state: TraceState;
  setState: Setter;
}) {
  const { trace } = index;
  const seq = Math.min(state.seq ?? index.telling, index.calls - 1);
  const vm =
    trace.vms.find(({ file, vm }) => file === state.vm?.[0] && vm === state.vm?.[1]) ??
    index.vmOf(seq) ??
    index.mainVm;
  const found = useMemo(() => index.find(state.find), [index, state.find]);
  const choose = (next: number): void => {
    const other = index.vmOf(next);
    setState((last) => ({ ...last, seq: next, view: null, ...(other && { vm: [other.file, other.vm] }) }));
  };
  const lookAt = (va: number | null): void => setState((last) => ({ ...last, va }));
  const { answer: mappings, error } = useAnswer(
    engine,
    "list-mappings",
    vm === null ? null : { trace: trace.name, seq, file: vm.file, vm: vm.vm },
  );
  return (
    <>
      <Headline index={index} />
      <Problems trace={trace} choose={choose} />
      <Find find={state.find} found={found} seq={seq} choose={choose} setState={setState} />
      <Timeline
        index={index}
        seq={seq}
        found={found}
        time={state.time}
        setTime={(time) => setState((last) => ({ ...last, time }))}
        choose={choose}
      />
      <div class="calls">
        <CallList index={index} seq={seq} rows={found.length > 0 ? found : null} choose={choose} />
        <CallView engine={engine} trace={trace.name} seq={seq} lookAt={lookAt} />
      </div>
      {vm !== null && (
        <section aria-label="address space">
          <h2>
            Address space behind #{seq}{" "}
            {trace.vms.length > 1 && (
              <select
                aria-label="VM"
                value={`${vm.file} ${vm.vm}`}
                onChange={(event) => {
                  const [file = 0, id = 0] = event.currentTarget.value.split(" ").map(Number);
                  setState((last) => ({ ...last, vm: [file, id], view: null }));
                }}
              >
                {trace.vms.map((other) => (
                  <option key={`${other.file} ${other.vm}`} value={`${other.file} ${other.vm}`}>
                    VM {other.vm}
                    {other.file > 0 ? ` of file ${other.file}` : ""}: {other.ops} operations
                  </option>
                ))}
              </select>
            )}
          </h2>
          {error !== "" && <p class="reason">{error}</p>}
          {mappings !== null && (
            <Space
              index={index}
              vm={vm}
              seq={seq}
              mappings={mappings}
              view={state.view}
              setView={(view) => setState((last) => ({ ...last, view }))}
              va={state.va}
              lookAt={lookAt}
            />
          )}
          <Address
            engine={engine}
            trace={trace.name}
            seq={seq}
            file={vm.file}
            vm={vm.vm}
            va={state.va}
            lookAt={lookAt}
            choose={choose}
          />
        </section>
      )}
    </>
  );
}

function Headline({ index }: { index: TraceIndex }) {
  const { name, workload, umd, driver, device, quirks, vms, failureCount } = index.trace;
  const counts = [
    [index.calls, "ioctl", "ioctls"],
    [index.ops, "operation", "operations"],
    [vms.length, "VM", "VMs"],
    [failureCount, "refused", "refused"],
  ] as const;
  return (
    <header class="headline">
      <h1>{name}</h1>
      <p>
        {workload} by {umd}, on {driver}’s model of {device}.
      </p>
      <p class="facts">
        {counts.map(([count, one, many]) => (
          <span key={many}>
            <b>{count.toLocaleString("en")}</b> {count === 1 ? one : many}
          </span>
        ))}
      </p>
      <details>
        <summary>what the model does as that kernel does</summary>
        <p>The model has {quirks}.</p>
      </details>
    </header>
  );
}

function Find({
  find,
  found,
  seq,
  choose,
  setState,
}: {
  find: string;
  found: readonly number[];
  seq: number;
  choose: (seq: number) => void;
  setState: Setter;
}) {
  const next = found.find((other) => other > seq);
  const previous = found.findLast((other) => other < seq);
  return (
    <search class="find">
      <label>
        Find{" "}
        <input
          type="search"
          value={find}
          placeholder="0x4000_0000, BO 6, EINVAL, #12, VM_BIND"
          spellcheck={false}
          onInput={(event) => {
            const text = event.currentTarget.value;
            const va = addressIn(text);
            setState((last) => ({ ...last, find: text, ...(va !== null && { va }) }));
          }}
          onKeyDown={(event) => {
            // Behind the last one comes the first one again.
            const to = event.shiftKey ? (previous ?? found.at(-1)) : (next ?? found[0]);
            if (event.key === "Enter" && to !== undefined) choose(to);
          }}
        />
      </label>
      <button
        type="button"
        disabled={previous === undefined}
        onClick={() => previous !== undefined && choose(previous)}
      >
        Previous
      </button>
      <button type="button" disabled={next === undefined} onClick={() => next !== undefined && choose(next)}>
        Next
      </button>
      <output aria-label="found">
        {find.trim() !== "" && `${found.length} ${found.length === 1 ? "ioctl" : "ioctls"}`}
      </output>
    </search>
  );
}

/** A trace: its ioctls, its address space, and every address in it. */
export const tracePane: Pane = pane({ id: "trace", title: "Trace", schema: TRACE_STATE, View: TraceView });
