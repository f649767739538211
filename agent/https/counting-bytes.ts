// A client that reports the bytes of every request, of failed ones too: mobile lines are paid by them.
import { isAgentError } from '../errors/agent-error.ts';
import type { HttpsClient } from './client.ts';

export interface WireBytes {
  readonly sent: number;
  readonly received: number;
}

export function countingBytes(https: HttpsClient, onBytes: (bytes: WireBytes) => void): HttpsClient {
  return {
    host: https.host,
    close: () => https.close(),
    async request(o) {
      try {
        const response = await https.request(o);
        onBytes({ sent: response.bytesSent, received: response.bytesReceived });
        return response;
      } catch (error) {
        if (isAgentError(error)) {
          const { bytes_sent: sent, bytes_received: received } = error.details;
          if (typeof sent === 'number' && typeof received === 'number') onBytes({ sent, received });
        }
        throw error;
      }
    },
  };
}
