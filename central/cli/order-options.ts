// What the verbs for orders and for authorisations take in the same words.
import * as v from 'valibot';
import { AgentError } from '../../agent/errors/agent-error.ts';
import type { Order } from '../../agent/wire/schemas/order.ts';
import { plainObject } from '../../agent/wire/schemas/primitives.ts';

/** @throws usage */
export function parseParams(text: string): Order['params'] {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw new AgentError('usage', '--params is no JSON', { cause });
  }
  if (!v.is(plainObject, value)) throw new AgentError('usage', '--params is no object of plain values');
  return value;
}

/** @throws usage */
export function parseWindow(o: { readonly window: string; readonly reason?: string }): Order['window'] {
  if (o.window === 'require') return { mode: 'require' };
  if (o.window !== 'override') throw new AgentError('usage', '--window is require or override');
  if (o.reason === undefined) throw new AgentError('usage', '--window override needs --reason');
  return { mode: 'override', reason: o.reason };
}
