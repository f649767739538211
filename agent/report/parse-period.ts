// --from and --to: a day (`2026-03-31`, the whole of it, UTC) or a moment (`2026-03-31T12:00:00Z`). Pure.
import { AgentError } from '../errors/agent-error.ts';

const DAY = /^\d{4}-\d{2}-\d{2}$/;
const MOMENT = /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}Z$/;
const DAY_S = 86_400;

function unixOf(text: string, option: string): number {
  const iso = DAY.test(text) ? `${text}T00:00:00Z` : text;
  const ms = MOMENT.test(iso) ? Date.parse(iso) : Number.NaN;
  // Date.parse takes 31 February for 3 March.
  if (Number.isNaN(ms) || new Date(ms).toISOString().slice(0, 19) !== iso.slice(0, 19)) {
    throw new AgentError('usage', `${option} is no day like 2026-03-31 and no time like 2026-03-31T12:00:00Z`);
  }
  return ms / 1_000;
}

/** Unix seconds: from ≤ time < to. @throws usage */
export function parsePeriod(
  from: string | undefined,
  to: string | undefined,
): { readonly from: number | null; readonly to: number | null } {
  const period = {
    from: from === undefined ? null : unixOf(from, '--from'),
    to: to === undefined ? null : unixOf(to, '--to') + (DAY.test(to) ? DAY_S : 0),
  };
  if (period.from !== null && period.to !== null && period.from >= period.to) {
    throw new AgentError('usage', '--from is not before --to');
  }
  return period;
}
