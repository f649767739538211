// Exit codes of both command lines. One place; the README and docs/errors.md quote it.
export const EXIT = {
  ok: 0,
  /** A defect or an unclassified failure. */
  internal: 1,
  /** Wrong usage or configuration: nothing was done. */
  usage: 2,
  /** The surroundings are not ready: no network, no Central Command, not enrolled; trying again may help. */
  unavailable: 3,
  /** Something did not verify: signature, chain, proof, schema. */
  verification: 4,
  /** The state directory is damaged, full, read-only or in use. */
  state: 5,
  /** A check found drift (`check` and `status` with --exit-code). */
  drift: 6,
  /** Permission denied by the operating system or by Central Command. */
  denied: 7,
  /** `evidence verify`: all fits together, but nobody named the digest of the trust root. */
  untrusted_root: 8,
  /** `evidence verify`: what is there verifies, and there must be more of it: cut off, or empty. */
  incomplete: 9,
  /** A bundle is not as it was handed over, or changed while it was verified. */
  damaged: 10,
} as const;
