export * from './contract.ts';
export { createLoopback } from './loopback.ts';
export type { LoopbackChannel, LoopbackOptions } from './loopback.ts';
export { createWebchat } from './webchat.ts';
export type { Webchat, WebchatStats } from './webchat.ts';
export { createWebhook } from './webhook.ts';
export type { Webhook, WebhookOptions } from './webhook.ts';
