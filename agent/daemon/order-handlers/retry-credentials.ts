// Order kind `retry_credentials`: a credential that a target proved wrong may be tried once more, on one target first.
import { paramsOf } from '../../guards/order-params.ts';
import type { OrderHandler } from '../../orders/order-handler.ts';
import type { DaemonContext } from '../context.ts';

export function retryCredentialsHandler(context: DaemonContext): OrderHandler {
  const { lockout } = context;
  return {
    kind: 'retry_credentials',
    does: 'store_change',
    act(order) {
      const params = paramsOf('retry_credentials', order);
      const verdict = lockout.retry({
        credentialId: params.credential_id,
        credentialVersion: params.credential_version,
      });
      if (verdict.retry === 'taken') {
        return { kind: 'done', sentence: 'The credential may be tried again, on one target first.', result: {} };
      }
      const sentence =
        verdict.code === 'credential_not_stopped'
          ? 'The credential is not stopped in this version.'
          : 'A retry of this credential was taken within the last 24 hours.';
      return { kind: 'failed', code: verdict.code, sentence, result: {} };
    },
    verify: () => ({}),
  };
}
