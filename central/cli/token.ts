import { AgentError } from '../../agent/errors/agent-error.ts';
import { DEFAULT_TOKEN_DAYS, MAX_TOKEN_DAYS, newToken } from '../service/enrolment-token.ts';
import { print, when, type Common } from './output.ts';
import { withRecords, type WithData } from './with-records.ts';

interface Options extends Common, WithData {
  readonly site: string;
  readonly days?: number;
}

export async function printNewToken(o: Options): Promise<void> {
  const days = tokenDays(o.days);
  await withRecords(o, (records) => {
    const { token, expiresAt } = newToken(records, o.site, days);
    print(
      o,
      { token, site_id: o.site, expires_at: expiresAt },
      `${token}\n(for one device of ${o.site}, until ${when(expiresAt)}; not shown again)`,
    );
  });
}

/** @throws usage */
export function tokenDays(days: number | undefined): number {
  const chosen = days ?? DEFAULT_TOKEN_DAYS;
  if (chosen < 1 || chosen > MAX_TOKEN_DAYS) throw new AgentError('usage', `--days is 1 to ${MAX_TOKEN_DAYS}`);
  return chosen;
}
