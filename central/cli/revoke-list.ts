import { ROLES } from '../../agent/wire/schemas/root.ts';
import { print, table, when, type Common } from './output.ts';
import { withRecords, type WithData } from './with-records.ts';

export async function listKeys(o: Common & WithData): Promise<void> {
  await withRecords(o, ({ trust }) => {
    const { root } = trust.root();
    const revoked = trust.revocations();
    const rows = root.keys.map(({ keyid, person }) => {
      const found = revoked?.value.keys.find((key) => key.keyid === keyid);
      const roles = ROLES.filter((role) => root.roles[role].keyids.includes(keyid));
      return { keyid, person, roles, revoked_at: found?.revoked_at ?? null, reason: found?.reason ?? null };
    });
    const origins = revoked?.value.origins ?? [];
    const logs = origins.map((one) => [one.origin, String(one.trust_until_size), when(one.revoked_at), one.root]);
    print(
      o,
      { version: revoked?.version ?? null, keys: rows, origins },
      [
        table(
          ['KEY', 'HOLDER', 'ROLES', 'REVOKED', 'REASON'],
          rows.map((row) => [row.keyid, row.person, row.roles.join(','), when(row.revoked_at), row.reason ?? '-']),
        ),
        ...(logs.length === 0 ? [] : ['', table(['LOG', 'TRUSTED UP TO', 'REVOKED', 'ROOT'], logs)]),
      ].join('\n'),
    );
  });
}
