// Which target an alert is about. Pure.
import type { PredicateOf } from '../wire/schemas/entry.ts';

/** Id of the target in the entry's details; null for an alert about the appliance itself. */
export function alertTarget({ details }: Pick<PredicateOf<'alert'>, 'details'>): string | null {
  // A line that nobody verified may lack them.
  const target = (details as Readonly<Record<string, unknown>> | undefined)?.['target'];
  return typeof target === 'string' ? target : null;
}
