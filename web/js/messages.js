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
 * @property {Consent | null} [consent]
 * @property {number} [size] of the images, px
 */

/**
 * @typedef {object} Consent
 * @property {string} subject who or what is shown
 * @property {string} footage where it comes from
 * @property {string} permission under which it is used
 * @property {string} permitted_by
 * @property {string} permitted_on as in 2026-11-27
 * @property {boolean} label_optional
 */

/**
 * @typedef {object} Match how close the source is to a neutral look, 0 to 1 each
 * @property {number} score
 * @property {number} expression
 * @property {number} head
 */

/**
 * @typedef {object} Figures
 * @property {string} state
 * @property {string | null} [detail] a sentence about the state
 * @property {number | null} [progress] 0 to 1 while getting ready or calibrating
 * @property {Match | null} [match] while calibrating
 * @property {'viewer' | 'operator'} [role]
 * @property {Target | null} target
 * @property {string | null} source
 * @property {string | null} [publisher] ETag of the WHIP resource that is shown
 * @property {number} fps
 * @property {{in: number, out: number, dropped: number, skipped: number}} frames
 * @property {Record<string, [number, number]>} ms of each stage, median and 95th percentile
 * @property {number | null} latency_ms
 * @property {number | null} sound_ahead_ms
 * @property {number} viewers
 * @property {Recording | null} [recording] the last one; operators are told
 * @property {Settings | null} settings
 */

/** @typedef {Figures | {error: string} | {ending: true}} Message */

export {};
