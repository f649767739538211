import { randomBytes } from 'node:crypto';

/** A challenge is good for so long. */
export const CHALLENGE_LIFE_S = 300;
const CHALLENGE_BYTES = 16;
/** Challenges kept at once, for anybody who asks: some 2 MB. Beyond it the oldest goes; its box asks again. */
const MAX_CHALLENGES = 10_000;

/** Single-use challenges for lapsed certificates. In memory only: after a restart none counts, and boxes ask again. */
export interface Challenges {
  /** 128 random bits in hex, for this appliance id, whether there is one of that name or not. */
  issue(applianceId: string): string;
  /** True once, and only for the appliance that it was issued for. */
  take(challenge: string, applianceId: string): boolean;
}

/** @param now Unix seconds */
export function createChallenges(now: () => number): Challenges {
  const outstanding = new Map<string, { applianceId: string; expiresAt: number }>();
  const dropOld = (): void => {
    for (const [challenge, { expiresAt }] of outstanding) {
      if (expiresAt > now() && outstanding.size < MAX_CHALLENGES) return;
      outstanding.delete(challenge);
    }
  };
  return {
    issue(applianceId) {
      dropOld();
      const challenge = randomBytes(CHALLENGE_BYTES).toString('hex');
      outstanding.set(challenge, { applianceId, expiresAt: now() + CHALLENGE_LIFE_S });
      return challenge;
    },
    take(challenge, applianceId) {
      const found = outstanding.get(challenge);
      if (found === undefined || found.applianceId !== applianceId) return false;
      outstanding.delete(challenge);
      return found.expiresAt > now();
    },
  };
}
