// The params of an order against what the runbook declares: an action, and values for its typed params. Pure.
import type { RunbookParams } from '../checks/windows/windows-check.ts';
import type { PlainJson } from '../wire/schemas/primitives.ts';
import { defaultParams, type Runbook, type RunbookParam } from './runbook.ts';

export const RUNBOOK_ACTIONS = ['detect', 'remediate', 'rollback'] as const;
export type RunbookAction = (typeof RUNBOOK_ACTIONS)[number];

export type ParamsVerdict =
  | { readonly fits: true; readonly action: RunbookAction; readonly params: RunbookParams }
  /** `key` is one of the runbook's own names or `action`; null for a name that is not known. */
  | { readonly fits: false; readonly key: string | null };

/** `action` is `remediate` where it is not named; every other key is a param of the runbook, the rest are its defaults. */
export function judgeRunbookParams(
  runbook: Pick<Runbook, 'params'>,
  given: Readonly<Record<string, PlainJson>>,
): ParamsVerdict {
  const { action: named = 'remediate', ...values } = given;
  const action = RUNBOOK_ACTIONS.find((known) => known === named);
  if (action === undefined) return { fits: false, key: 'action' };
  for (const [key, value] of Object.entries(values)) {
    const param = Object.hasOwn(runbook.params, key) ? runbook.params[key] : undefined;
    if (param === undefined) return { fits: false, key: null };
    if (!fits(param, value)) return { fits: false, key };
  }
  return { fits: true, action, params: { ...defaultParams(runbook), ...(values as RunbookParams) } };
}

const NAME = /^[A-Za-z0-9{][A-Za-z0-9_.{}-]{0,63}$/;

function fits(param: RunbookParam, value: PlainJson): boolean {
  switch (param.type) {
    case 'integer':
      return typeof value === 'number' && value >= param.min && value <= param.max;
    case 'boolean':
      return typeof value === 'boolean';
    case 'choice':
      return typeof value === 'string' && param.values.includes(value);
    case 'names':
      return (
        Array.isArray(value) &&
        value.length <= param.max &&
        value.every((one) => typeof one === 'string' && NAME.test(one))
      );
  }
}
