import { print, table, when, type Common } from './output.ts';
import { withRecords, type WithData } from './with-records.ts';

/** Who let what in, and who was kept out, newest first. */
export async function listAccess(o: Common & WithData & { readonly limit: number }): Promise<void> {
  await withRecords(o, ({ store }) => {
    const entries = store.access.list(o.limit);
    const cells = entries.map((row) => [
      when(row.at),
      row.action,
      row.subject,
      row.person || '-',
      row.address || '-',
      row.detail || '-',
    ]);
    print(o, { entries }, table(['WHEN', 'WHAT', 'ABOUT', 'BY', 'FROM', 'DETAIL'], cells));
  });
}
