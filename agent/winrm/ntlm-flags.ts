// NTLM negotiate flags (MS-NLMP 2.2.2.5) and which of them this client insists on.

export const UNICODE = 0x00000001;
export const REQUEST_TARGET = 0x00000004;
export const SIGN = 0x00000010;
export const SEAL = 0x00000020;
export const NTLM = 0x00000200;
export const ALWAYS_SIGN = 0x00008000;
/** Extended session security: the sealing of MS-NLMP 3.4.4.2. */
export const EXTENDED_SESSIONSECURITY = 0x00080000;
export const TARGET_INFO = 0x00800000;
export const VERSION = 0x02000000;
export const BITS_128 = 0x20000000;
export const KEY_EXCH = 0x40000000;
export const BITS_56 = 0x80000000;

/** What the client asks for. No OEM strings, no LM keys, nothing of NTLM version 1. */
export const ASKED =
  (UNICODE |
    REQUEST_TARGET |
    SIGN |
    SEAL |
    NTLM |
    ALWAYS_SIGN |
    EXTENDED_SESSIONSECURITY |
    TARGET_INFO |
    VERSION |
    BITS_128 |
    KEY_EXCH |
    BITS_56) >>>
  0;

/** What a challenge must grant, with the words for an error. */
export const REQUIRED: readonly (readonly [flag: number, words: string])[] = [
  [UNICODE, 'Unicode'],
  [SIGN, 'signing'],
  [SEAL, 'sealing'],
  [EXTENDED_SESSIONSECURITY, 'extended session security'],
  [TARGET_INFO, 'target info'],
  [BITS_128, '128 bits'],
  [KEY_EXCH, 'key exchange'],
];
