// Cameras and microphones of this browser, and what to tell the user when one cannot be had.

const CAMERA = { width: { ideal: 640 }, height: { ideal: 480 }, frameRate: { ideal: 25 } };

/** @typedef {'camera' | 'microphone'} Kind */

/** @type {Record<string, (kind: Kind) => string>} by the error's name */
const SENTENCES = {
  NotAllowedError: (kind) => `The browser was not allowed to use the ${kind}. Allow it beside the page's address, then try again.`,
  SecurityError: (kind) => `This browser's settings forbid pages the ${kind}.`,
  NotReadableError: (kind) => `The ${kind} is in use by another program. Close that program, then try again.`,
  AbortError: (kind) => `The ${kind} did not start. Unplug it, plug it in, then try again.`,
  NotFoundError: (kind) => `No ${kind} was found. Plug one in, then try again.`,
  OverconstrainedError: (kind) => `That ${kind} is not there any more. Choose another.`,
};

/** A camera or microphone cannot be had; the message is for the user. */
export class DeviceError extends Error {
  /**
   * @param {string} sentence
   * @param {string} reason the browser's name of the error
   */
  constructor(sentence, reason) {
    super(sentence);
    this.reason = reason;
  }
}

/**
 * Ask for a camera or a microphone.
 * @param {Kind} kind
 * @param {string} id which one; '' for the browser's choice
 * @returns {Promise<MediaStreamTrack>}
 * @throws {DeviceError} it cannot be had
 */
export async function open(kind, id) {
  if (!navigator.mediaDevices) {
    throw new DeviceError(`A browser gives its ${kind} to secure pages only: open this page as http://localhost or by https.`, 'insecure');
  }
  const which = id ? { deviceId: { exact: id } } : {};
  try {
    const stream = await navigator.mediaDevices.getUserMedia(kind === 'camera' ? { video: { ...CAMERA, ...which } } : { audio: { ...which } });
    return stream.getTracks()[0];
  } catch (error) {
    const name = error instanceof Error ? error.name : '';
    if (name === 'OverconstrainedError' && id) return open(kind, ''); // unplugged since it was chosen
    throw new DeviceError(SENTENCES[name]?.(kind) ?? `The ${kind} cannot be used (${name}).`, name);
  }
}

/**
 * Fill a list with the devices of a kind. A browser names them only once one was allowed.
 * @param {HTMLSelectElement} select
 * @param {Kind} kind
 * @param {MediaStreamTrack} track the one in use
 */
export async function fill(select, kind, track) {
  const wanted = kind === 'camera' ? 'videoinput' : 'audioinput';
  const all = (await navigator.mediaDevices.enumerateDevices()).filter((device) => device.kind === wanted);
  const options = all.map(({ label, deviceId }, k) => new Option(label || `${kind} ${k + 1}`, deviceId));
  select.replaceChildren(...options);
  select.value = track.getSettings().deviceId ?? '';
}
