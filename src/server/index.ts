export { createServer, type GatewayServer, type ServerOptions } from './server.ts';
export {
  listenOn,
  type ListenDeps,
  type ListeningSource,
  type ListenTarget,
  type SocketSource,
} from './socket-source.ts';
export type { GatewayAuth } from './auth.ts';
export { SERVER_LIMITS, type ServerLimits } from './limits.ts';
export { METHOD_NAMES, EVENT_NAMES } from './protocol/methods/index.ts';
export { WEBSOCKET_ACCOUNT, WEBSOCKET_CHANNEL } from './protocol/methods/fields.ts';
export type { Accepted, Explanation, GatewayPort, HealthView, Offer, Readiness } from './port.ts';
