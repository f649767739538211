// What a session and its kerberos-child.ts tell each other over the child's IPC channel (structured clone, so bytes stay bytes).

export type KerberosRequest =
  | {
      readonly id: number;
      readonly call: 'logon';
      readonly conf: string;
      readonly principal: string;
      readonly password: Uint8Array;
      readonly service: string;
      readonly channelBinding: Uint8Array | null;
    }
  | { readonly id: number; readonly call: 'step'; readonly token: Uint8Array | null }
  | { readonly id: number; readonly call: 'wrap'; readonly plain: Uint8Array }
  | { readonly id: number; readonly call: 'unwrap'; readonly token: Uint8Array };

/** A request without its number. */
export type KerberosCall = KerberosRequest extends infer R ? (R extends { id: number } ? Omit<R, 'id'> : never) : never;

export type KerberosAnswer =
  | { readonly id: number; readonly bytes: Uint8Array | null; readonly done: boolean }
  /** Where a call failed, and the mechanism's number; `library`: there is no Kerberos library on this machine. */
  | { readonly id: number; readonly failed: string; readonly minor: number };
