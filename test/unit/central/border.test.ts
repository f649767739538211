import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import Database from 'better-sqlite3';
import { parse } from 'yaml';
import { AgentError } from '../../../agent/errors/agent-error.ts';
import { CODES, type ErrorCode } from '../../../agent/errors/codes.ts';
import { uuidv7 as uuidv7Schema } from '../../../agent/wire/schemas/primitives.ts';
import * as v from 'valibot';
import { documentRef, originHeader, seqHeader } from '../../../central/http/parse-request.ts';
import { problemOf } from '../../../central/http/problem.ts';
import { rateLimiter } from '../../../central/http/rate-limit.ts';
import { uuidv7 } from '../../../central/service/uuidv7.ts';
import { expectCode } from '../../support/expect-code.ts';

const api = parse(readFileSync(new URL('../../../central/openapi.yaml', import.meta.url), 'utf8'));

describe('problem documents of Central Command', () => {
  it('can carry exactly the codes that the contract lists', () => {
    const codes = new Set((Object.keys(CODES) as ErrorCode[]).map((code) => problemOf(new AgentError(code, 'x')).code));
    expect([...codes].sort()).toEqual(api.components.schemas.problemCode.enum);
  });

  it('never show the words of a defect', () => {
    for (const error of [new Error('secret path /keys'), new AgentError('internal', 'secret'), 'secret', undefined]) {
      const problem = problemOf(error);
      expect([problem.status, problem.code]).toEqual([500, 'internal']);
      expect(JSON.stringify(problem)).not.toContain('secret');
    }
  });
});

describe('failures of the database', () => {
  it('are told as unavailable, not as a defect', () => {
    for (const code of ['SQLITE_FULL', 'SQLITE_BUSY', 'SQLITE_READONLY', 'SQLITE_IOERR_FSYNC']) {
      const problem = problemOf(new Database.SqliteError('/secret/path', code));
      expect([problem.status, problem.code]).toEqual([503, 'central_unavailable']);
      expect(JSON.stringify(problem)).not.toContain('secret');
    }
  });
});

describe('rate limits of Central Command', () => {
  it('let a burst through, then the rate, each key for itself', () => {
    let now = 0;
    const limit = rateLimiter({ burst: 3, perSecond: 2 }, () => now);
    const passes = (key: string): boolean => {
      try {
        limit(key);
        return true;
      } catch {
        return false;
      }
    };
    expect([1, 2, 3, 4].map(() => passes('a'))).toEqual([true, true, true, false]);
    expect(passes('b')).toBe(true);
    now += 499;
    expect(passes('a')).toBe(false);
    now += 1;
    expect(passes('a')).toBe(true);
    now += 60_000;
    expect([1, 2, 3, 4].map(() => passes('a'))).toEqual([true, true, true, false]);
    expectCode(() => limit('a'), 'rate_limited');
  });

  it('hold a bounded number of keys', () => {
    let now = 0;
    const limit = rateLimiter({ burst: 1, perSecond: 1 }, () => (now += 1));
    for (let i = 0; i < 50_000; i++) limit(`key-${i}`);
    expectCode(() => limit('key-49999'), 'rate_limited');
  });
});

describe('requests to Central Command', () => {
  it('take origins and entry numbers in their one spelling', () => {
    expect(originHeader({ 'x-evidence-origin': 'acme.internal/north-1/1' })).toBe('acme.internal/north-1/1');
    expect(seqHeader({ 'x-evidence-first-seq': '0' })).toBe(0);
    for (const value of ['', '00', '+1', '1 ', '0x10', '9007199254740992']) {
      expectCode(() => seqHeader({ 'x-evidence-first-seq': value }), 'request_malformed');
    }
    for (const value of ['', '/', 'a/b', 'a/b/0', 'a/b/1/', '../b/1', 'a_b/c/1']) {
      expectCode(() => originHeader({ 'x-evidence-origin': value }), 'request_malformed');
    }
    expectCode(() => originHeader({}), 'request_malformed');
  });

  it('take documents by version or digest only', () => {
    expect(documentRef({ kind: 'root', ref: '12' })).toEqual({ kind: 'root', ref: '12' });
    for (const [kind, ref] of [
      ['root', '0'],
      ['root', 'a'.repeat(64)],
      ['policy', '1'],
      ['content', 'A'.repeat(64)],
      ['receipt', 'a'.repeat(64)],
    ]) {
      expectCode(() => documentRef({ kind, ref }), 'document_unknown');
    }
  });

  it('number orders with UUIDs of version 7 that sort by time', () => {
    const ids = [0, 1, 1_790_000_000_000].map((ms) => uuidv7(ms));
    for (const id of ids) expect(v.is(uuidv7Schema, id)).toBe(true);
    expect(ids.toSorted()).toEqual(ids);
  });
});
