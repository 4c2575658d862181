// What the server sends on /live (docs/api.md), as types for the checker.

/**
 * @typedef {object} Settings
 * @property {'head' | 'face'} mode
 * @property {boolean} relative
 * @property {number} strength 0 to 2
 */

/**
 * @typedef {object} Target
 * @property {string} name
 * @property {string} title
 * @property {string} provenance on what ground the likeness is used
 */

/**
 * @typedef {object} Figures
 * @property {string} state
 * @property {string | null} [detail] a sentence about the state
 * @property {number | null} [progress] 0 to 1 while getting ready or calibrating
 * @property {'viewer' | 'operator'} [role]
 * @property {Target | null} target
 * @property {string | null} source
 * @property {string | null} [publisher] ETag of the WHIP resource that is shown
 * @property {number} fps
 * @property {{in: number, out: number, dropped: number}} frames
 * @property {Record<string, [number, number]>} ms of each stage, median and 95th percentile
 * @property {number | null} latency_ms
 * @property {number | null} sound_ahead_ms
 * @property {number} viewers
 * @property {Settings | null} settings
 */

/** @typedef {Figures | {error: string} | {ending: true}} Message */

export {};
