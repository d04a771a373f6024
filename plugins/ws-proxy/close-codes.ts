/** Status codes of closes (RFC 6455 section 7.4, and the IANA registry) that the gateway gives or looks for. */
export const CloseCode = {
  GOING_AWAY: 1001,
  PROTOCOL_ERROR: 1002,
  /** Never sent: the close had no code. */
  NONE: 1005,
  /** Never sent: the connection ended without a close. */
  ABNORMAL: 1006,
  INVALID_PAYLOAD: 1007,
  POLICY: 1008,
  TOO_LARGE: 1009,
  BAD_GATEWAY: 1014,
} as const;

/** The code that `ws` closes with for what it found wrong, by the codes of its errors. */
const FAULTS: Readonly<Record<string, number>> = {
  WS_ERR_INVALID_UTF8: CloseCode.INVALID_PAYLOAD,
  WS_ERR_UNSUPPORTED_MESSAGE_LENGTH: CloseCode.TOO_LARGE,
  WS_ERR_UNSUPPORTED_DATA_PAYLOAD_LENGTH: CloseCode.TOO_LARGE,
  WS_ERR_TOO_MANY_BUFFERED_PARTS: CloseCode.POLICY,
};

/** The close code for what one side did wrong; undefined where its connection just broke. */
export function faultOf(error: Error): number | undefined {
  const code = 'code' in error ? String(error.code) : '';
  if (FAULTS[code] !== undefined) return FAULTS[code];
  // zlib's errors are about what was compressed.
  return code.startsWith('WS_ERR_') || code.startsWith('Z_') ? CloseCode.PROTOCOL_ERROR : undefined;
}

/** How a connection ended, as a label of a bounded set. */
export function closeClass(code: number): string {
  if (code >= 3000) return 'application';
  switch (code) {
    case 1000:
    case CloseCode.NONE:
      return 'normal';
    case CloseCode.GOING_AWAY:
      return 'going_away';
    case CloseCode.ABNORMAL:
      return 'abnormal';
    case CloseCode.POLICY:
      return 'policy';
    case CloseCode.TOO_LARGE:
      return 'too_large';
    case CloseCode.PROTOCOL_ERROR:
    case 1003:
    case CloseCode.INVALID_PAYLOAD:
    case 1010:
      return 'protocol_error';
    default:
      return 'server_error';
  }
}
