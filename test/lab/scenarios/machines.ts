// Machines that scenarios start from.
import type { Json, LabState } from '../scenario.ts';

/** The simulated machines' clock at the beginning of a scenario. */
export const NOW = '2026-11-20T10:00:00Z';

const PRODUCT_TYPES = { workstation: 1, domain_controller: 2, member_server: 3 } as const;

/** A machine of that role on Windows Server 2022 (or Windows 11 23H2), with further sections of the state. */
export function machine(role: keyof typeof PRODUCT_TYPES, sections: Readonly<Record<string, Json>>): LabState {
  const { cim, ...rest } = sections;
  const os = { ProductType: PRODUCT_TYPES[role], BuildNumber: role === 'workstation' ? '22631' : '20348' };
  return {
    now: NOW,
    ...rest,
    cim: { Win32_OperatingSystem: [os], ...(cim as Readonly<Record<string, Json>> | undefined) },
  };
}

/** `state` with `value` at `path` (keys of objects, indexes of lists). */
export function withValue(state: LabState, path: readonly (string | number)[], value: Json): LabState {
  const set = (at: unknown, [key, ...rest]: readonly (string | number)[]): unknown => {
    if (key === undefined) return value;
    if (Array.isArray(at)) return at.map((item: unknown, index) => (index === key ? set(item, rest) : item));
    const object = (at ?? {}) as Readonly<Record<string, unknown>>;
    return { ...object, [key]: set(object[key], rest) };
  };
  return set(state, path) as LabState;
}

/** `state` without a section: the machine lacks the feature. */
export function withoutSection(state: LabState, section: string): LabState {
  return Object.fromEntries(Object.entries(state).filter(([key]) => key !== section)) as unknown as LabState;
}
