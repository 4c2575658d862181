// What the server sends on /live (docs/api.md), as types for the checker.

/**
 * @typedef {object} Settings
 * @property {'head' | 'face'} mode
 * @property {boolean} relative
 * @property {number} strength of the expression, 0 to 2
 * @property {number} head strength of its motion, 0 to 2
 * @property {number} eyes strength of the gaze, 0 to 2
 * @property {boolean} freeze
 * @property {boolean} mirror
 */

/**
 * @typedef {object} Recording
 * @property {string} name
 * @property {boolean} active
 * @property {number} seconds
 * @property {number} bytes
 * @property {string | null} failure why it ended, a sentence
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
 * @property {Recording | null} [recording] the last one; operators are told
 * @property {Settings | null} settings
 */

/** @typedef {Figures | {error: string} | {ending: true}} Message */

export {};
