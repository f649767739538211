import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { CODES } from '../../../agent/errors/codes.ts';

describe('the table of error codes', () => {
  it('has every row of every room, and no code in two of them', async () => {
    const folder = join(import.meta.dirname, '../../../agent/errors/codes');
    const rooms = await Promise.all(
      readdirSync(folder).map((file) => import(join(folder, file)) as Promise<Record<string, object>>),
    );
    const rows = rooms.flatMap((room) => Object.values(room).flatMap(Object.keys));
    expect([...rows, 'internal'].toSorted()).toEqual(Object.keys(CODES).toSorted());
  });

  it('is one alphabet of small words', () => {
    expect(Object.keys(CODES).filter((code) => !/^[a-z][a-z0-9]*(_[a-z0-9]+)*$/.test(code))).toEqual([]);
  });
});
