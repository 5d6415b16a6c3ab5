/** Whom a program is for: kernel, strategies, and the device of each. */

import type { Offer } from "../../engine/programs/list-strategies.ts";
import { KERNELS, type WriteState } from "./state.ts";

/**
 * @param offer - what there is
 * @returns one strategy of each driver: the table has the fewest operations last
 */
export function usualStrategies({ strategies }: Offer): string[] {
  const last = new Map(strategies.map(({ driver, name }) => [driver, name]));
  return [...last.values()];
}

/** What was chosen, and a way to choose otherwise. */
export interface ChoicesProps {
  readonly offer: Offer;
  readonly state: WriteState;
  readonly setState: (next: (last: WriteState) => WriteState) => void;
}

/** The kernel. */
export function KernelChoice({ state, setState }: Omit<ChoicesProps, "offer">) {
  return (
    <label>
      kernel{" "}
      <select
        value={state.kernel}
        onChange={({ currentTarget }) => {
          const kernel = KERNELS.find((one) => one === currentTarget.value) ?? "ideal";
          setState((last) => ({ ...last, kernel }));
        }}
      >
        {KERNELS.map((kernel) => (
          <option key={kernel} value={kernel}>
            {kernel}
          </option>
        ))}
      </select>
    </label>
  );
}

/** The strategies, by driver. */
export function StrategyChoice({ offer, state, setState }: ChoicesProps) {
  const chosen = new Set(state.strategies ?? usualStrategies(offer));
  const choose = (name: string, isOn: boolean): void => {
    const next = offer.strategies
      .map((one) => one.name)
      .filter((one) => (one === name ? isOn : chosen.has(one)));
    setState((last) => ({ ...last, strategies: next }));
  };
  return (
    <details class="choices">
      <summary>
        {chosen.size} of {offer.strategies.length} strategies
      </summary>
      <ul>
        {offer.strategies.map(({ name, says, devices }) => (
          <li key={name}>
            <label>
              <input
                type="checkbox"
                checked={chosen.has(name)}
                onChange={({ currentTarget }) => choose(name, currentTarget.checked)}
              />{" "}
              <span class="mono">{name}</span>
            </label>
            {devices.length > 1 && (
              <select
                aria-label={`device of ${name}`}
                value={state.devices[name] ?? devices[0]}
                onChange={({ currentTarget: { value } }) =>
                  setState((last) => ({ ...last, devices: { ...last.devices, [name]: value } }))
                }
              >
                {devices.map((device) => (
                  <option key={device} value={device}>
                    {device}
                  </option>
                ))}
              </select>
            )}
            <span class="muted">{says}</span>
          </li>
        ))}
      </ul>
    </details>
  );
}
