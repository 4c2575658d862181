// NMFC and gaze image on the GPU: the maths of face/raster.py, face/nmfc.py, face/mouth_image.py
// and face/gaze_image.py.
//
// NVRTC compiles this for the GPU at hand when the program starts (live/renderers/cuda_launcher.py), without fusing
// multiply and add, so that an edge function rounds as it does on the CPU. tests/live/renderers compiles the same file
// with g++.
//
// A pixel's key holds depth in its upper 32 bits and the complement of the triangle's index in its lower: the greatest
// key is the nearest triangle, and of equally near ones the one with the lowest index, whichever thread comes first.
//
// Vertices are those of the face, of teeth and tongue, and of the outlines of lips and eyes, in this order; triangles those
// of the face, then of teeth and tongue, which lie behind every face and are seen between the lips alone.

// EXPRESSION_SIZE, how many directions expression has, comes from the compiler's command line.
constexpr int LIP_POINTS = 20;
constexpr int EYE_POINTS = 16;
constexpr float BEHIND = 16.0f;  // model units: more than a head is deep
constexpr int CHANNELS = 6;

using Key = unsigned long long;

// One frame's face, as live/renderers/packing.py packs it.
struct Face {
    float expression[EXPRESSION_SIZE];
    float rotation[9];     // rows: model frame to camera frame
    float scale;           // px per model unit
    float place[2];        // px
    float iris[2][2];      // px, left and right
    float iris_radius;     // px
    float pupil_radius;    // px
};

__device__ unsigned int ordered(float depth) {
    // Bits that compare like the number itself; above zero for every finite depth, so that 0 is the background.
    unsigned int bits = __float_as_uint(depth);
    return bits & 0x80000000u ? ~bits : bits | 0x80000000u;
}

// Vertices in the image, and an empty z-buffer.
extern "C" __global__ void project(
    const Face* face,
    const float* neutral,     // [V, 3] model units, identity folded in
    const float* expression,  // [EXPRESSION_SIZE, V, 3]
    int vertices,
    int face_vertices,        // how many of them are the face's
    float* points,            // [V, 3] px, depth towards the viewer
    int pixels,
    Key* keys                 // [pixels]
) {
    int k = blockIdx.x * blockDim.x + threadIdx.x;
    if (k < pixels) keys[k] = 0;
    if (k >= vertices) return;
    float offset[3] = {0.0f, 0.0f, 0.0f};
    for (int u = 0; u < EXPRESSION_SIZE; ++u)
        for (int c = 0; c < 3; ++c)
            offset[c] += face->expression[u] * expression[(u * vertices + k) * 3 + c];
    float model[3];
    for (int c = 0; c < 3; ++c) model[c] = neutral[k * 3 + c] + offset[c];
    float camera[3];
    for (int r = 0; r < 3; ++r) {
        const float* row = face->rotation + r * 3;
        camera[r] = face->scale * (row[0] * model[0] + row[1] * model[1] + row[2] * model[2]);
    }
    points[k * 3] = camera[0] + face->place[0];
    points[k * 3 + 1] = face->place[1] - camera[1];
    points[k * 3 + 2] = k < face_vertices ? camera[2] : camera[2] - face->scale * BEHIND;
}

// One thread draws one triangle.
extern "C" __global__ void rasterize(
    const float* points,       // [V, 3] px
    const int* triangles,      // [T, 3], counter-clockwise as seen from the front
    int count,
    int size,                  // height and width in px
    Key* keys                  // [size, size]
) {
    int t = blockIdx.x * blockDim.x + threadIdx.x;
    if (t >= count) return;
    const float* a = points + 3 * triangles[3 * t];
    const float* b = points + 3 * triangles[3 * t + 1];
    const float* c = points + 3 * triangles[3 * t + 2];
    // Image y points down, so counter-clockwise triangles have negative area here.
    float area = (b[0] - a[0]) * (c[1] - a[1]) - (c[0] - a[0]) * (b[1] - a[1]);
    if (!(area < 0.0f)) return;
    int left = max(0, (int)ceilf(fminf(fminf(a[0], b[0]), c[0]) - 0.5f));
    int right = min(size - 1, (int)floorf(fmaxf(fmaxf(a[0], b[0]), c[0]) - 0.5f));
    int top = max(0, (int)ceilf(fminf(fminf(a[1], b[1]), c[1]) - 0.5f));
    int bottom = min(size - 1, (int)floorf(fmaxf(fmaxf(a[1], b[1]), c[1]) - 0.5f));
    for (int i = top; i <= bottom; ++i) {
        float y = i + 0.5f;
        for (int j = left; j <= right; ++j) {
            float x = j + 0.5f;
            float wa = (b[0] - x) * (c[1] - y) - (c[0] - x) * (b[1] - y);
            float wb = (c[0] - x) * (a[1] - y) - (a[0] - x) * (c[1] - y);
            float wc = (a[0] - x) * (b[1] - y) - (b[0] - x) * (a[1] - y);
            if (wa <= 0.0f && wb <= 0.0f && wc <= 0.0f) {
                float depth = (wa * a[2] + wb * b[2] + wc * c[2]) / (wa + wb + wc);
                atomicMax(keys + i * size + j, (Key)ordered(depth) << 32 | ~(unsigned int)t);
            }
        }
    }
}

__device__ float covered(float inside_px) {  // signed distance to a border, as a share of the pixel
    return fminf(1.0f, fmaxf(0.0f, inside_px + 0.5f));
}

__device__ unsigned char byte(float share) { return (unsigned char)(share * 255.0f + 0.5f); }

// Opening in red, iris in green, pupil in blue: see draw_eye in face/gaze_image.py.
__device__ void draw_eye(
    const float* outline, const float* iris, float iris_radius, float pupil_radius, float x, float y,
    unsigned char* pixel
) {
    bool inside = false;
    float nearest = 1e9f;
    for (int k = 0; k < EYE_POINTS; ++k) {
        const float* a = outline + 3 * k;
        const float* b = outline + 3 * ((k + 1) % EYE_POINTS);
        if ((a[1] > y) != (b[1] > y) && x < (b[0] - a[0]) * (y - a[1]) / (b[1] - a[1]) + a[0]) inside = !inside;
        float dx = b[0] - a[0], dy = b[1] - a[1];
        float square = dx * dx + dy * dy;
        float along = square == 0.0f ? 0.0f : fminf(1.0f, fmaxf(0.0f, ((x - a[0]) * dx + (y - a[1]) * dy) / square));
        float ex = x - a[0] - along * dx, ey = y - a[1] - along * dy;
        nearest = fminf(nearest, ex * ex + ey * ey);
    }
    float distance = sqrtf(nearest);
    float opening = covered(inside ? distance : -distance);
    if (opening == 0.0f) return;
    float from_iris = sqrtf((x - iris[0]) * (x - iris[0]) + (y - iris[1]) * (y - iris[1]));
    pixel[0] = max(pixel[0], byte(opening));
    pixel[1] = max(pixel[1], byte(covered(iris_radius - from_iris) * opening));
    pixel[2] = max(pixel[2], byte(covered(pupil_radius - from_iris) * opening));
}

// Whether a point lies inside an outline that runs clockwise as seen: see free_between in face/mouth_image.py.
__device__ bool between_lips(const float* outline, float x, float y) {
    int winding = 0;
    for (int k = 0; k < LIP_POINTS; ++k) {
        const float* a = outline + 3 * k;
        const float* b = outline + 3 * ((k + 1) % LIP_POINTS);
        if ((a[1] > y) != (b[1] > y) && x < (b[0] - a[0]) * (y - a[1]) / (b[1] - a[1]) + a[0])
            winding += b[1] > a[1] ? 1 : -1;
    }
    return winding > 0;
}

// The conditioning from the z-buffer and the outlines.
extern "C" __global__ void compose(
    const Face* face,
    const Key* keys,               // [size, size]
    const unsigned char* colors,   // [T, 3]
    int face_triangles,            // how many of them are the face's
    const float* outlines,         // [LIP_POINTS + 2 EYE_POINTS, 3] px, the last of the points: lips, left and right eye
    int size,
    unsigned char* conditioning    // [size, size, CHANNELS]: NMFC, then the gaze image
) {
    int k = blockIdx.x * blockDim.x + threadIdx.x;
    if (k >= size * size) return;
    unsigned char* pixel = conditioning + k * CHANNELS;
    Key key = keys[k];
    unsigned int triangle = ~(unsigned int)key;
    float x = k % size + 0.5f, y = k / size + 0.5f;
    bool seen = key && ((int)triangle < face_triangles || between_lips(outlines, x, y));
    for (int c = 0; c < 3; ++c) {
        pixel[c] = seen ? colors[3 * triangle + c] : 0;
        pixel[3 + c] = 0;
    }
    for (int eye = 0; eye < 2; ++eye) {
        const float* outline = outlines + (LIP_POINTS + eye * EYE_POINTS) * 3;
        float left = 1e9f, right = -1e9f, top = 1e9f, bottom = -1e9f;
        for (int p = 0; p < EYE_POINTS; ++p) {
            left = fminf(left, outline[3 * p]), right = fmaxf(right, outline[3 * p]);
            top = fminf(top, outline[3 * p + 1]), bottom = fmaxf(bottom, outline[3 * p + 1]);
        }
        if (x < left - 1.0f || x > right + 1.0f || y < top - 1.0f || y > bottom + 1.0f) continue;
        draw_eye(outline, face->iris[eye], face->iris_radius, face->pupil_radius, x, y, pixel + 3);
    }
}
