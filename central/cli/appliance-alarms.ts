import { print, table, when, type Common } from './output.ts';
import { withRecords, type WithData } from './with-records.ts';

export async function listAlarms(o: Common & WithData & { readonly limit: number }): Promise<void> {
  await withRecords(o, ({ store }) => {
    const alarms = store.alarms.list(o.limit);
    const cells = alarms.map((alarm) => [
      when(alarm.raised_at),
      alarm.cleared_at === null ? 'open' : 'cleared',
      alarm.kind,
      alarm.subject,
      alarm.detail,
    ]);
    print(o, { alarms }, table(['RAISED', 'STATE', 'ALARM', 'ABOUT', 'DETAIL'], cells));
  });
}
