// The site that bench/executor.ts looks at: its account, and how many sockets away its machines are.
import type { Target } from '../agent/targets/target.ts';
import { testTarget } from '../test/support/runbook-fixtures.ts';

export const ACCOUNT = { user: 'svc-compliance', domain: 'CLINIC', password: 'bench only: Grüße' } as const;

/** Each machine has an address of its own: a host bears two sessions, whoever opens them. */
export const addressOf = (n: number) => `127.0.0.${n + 1}` as const;

/** A machine's own identifier. */
export const sidOf = (n: number): string => `S-1-5-21-1004336348-1177238915-${1_000 + n}`;

export const targetOf = (n: number, port: number): Target =>
  testTarget(`srv-${n}`, {
    hostname: `srv-${n}.clinic.example`,
    address: addressOf(n),
    port,
    scheme: 'http',
    domain: ACCOUNT.domain,
    principal: ACCOUNT.user,
    secret: Buffer.from(ACCOUNT.password),
    identity: { machine_sid: sidOf(n) },
    // The recorded machines are of several roles: nothing is declared.
    role: 'machine',
  });
