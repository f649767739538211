// The device key as a systemd credential: the name that both sides use, and what stands in it. The text is PEM after one line
// that says what it was sealed with, so that the daemon knows without asking anybody.
export const SEALED_WITH = ['host', 'host+tpm2'] as const;
export type SealedWith = (typeof SEALED_WITH)[number];

/** Name of the credential, and of its file below /etc/credstore.encrypted. */
export const KEY_CREDENTIAL = 'compliance-agent.device-key';

const FIRST_LINE = /^sealed with (host|host\+tpm2)\n/;

export const sealedKeyText = (pem: string, sealedWith: SealedWith): string => `sealed with ${sealedWith}\n${pem}`;

/** Null where the first line is not ours. */
export function sealedWith(text: string): SealedWith | null {
  const found = FIRST_LINE.exec(text)?.[1];
  return SEALED_WITH.find((one) => one === found) ?? null;
}
