import { resolve } from 'node:path';
import { openRecords, type Records } from '../service/central.ts';

export interface WithData {
  readonly data: string;
}

/** Runs a verb on the database beside a server that may be running, and closes it. */
export async function withRecords<T>(o: WithData, work: (records: Records) => T | Promise<T>): Promise<T> {
  const records = openRecords(resolve(o.data));
  try {
    return await work(records);
  } finally {
    records.close();
  }
}
