// Compiles live/renderers/conditioning_kernels.cu as C++: threads run one after the other, atomics are plain operations.
#include <algorithm>
#include <cmath>
#include <cstring>

#define __global__
#define __device__
using std::max;
using std::min;

struct Index { int x; };
static Index blockIdx, blockDim, threadIdx;

static unsigned int __float_as_uint(float value) {
    unsigned int bits;
    std::memcpy(&bits, &value, sizeof bits);
    return bits;
}

static unsigned long long atomicMax(unsigned long long* at, unsigned long long value) {
    unsigned long long before = *at;
    *at = max(before, value);
    return before;
}

#include "../../../live/renderers/conditioning_kernels.cu"

template <typename... Arguments, typename... Given>
static void launch(int threads, void (*kernel)(Arguments...), Given... given) {
    blockDim.x = 32;
    for (blockIdx.x = 0; blockIdx.x * 32 < threads; ++blockIdx.x)
        for (threadIdx.x = 0; threadIdx.x < 32; ++threadIdx.x) kernel(given...);
}

extern "C" void render(
    const Face* face, const float* neutral, const float* expression, int vertices, int face_vertices,
    const int* triangles, int count, int face_triangles, const unsigned char* colors, int size, float* points, Key* keys,
    unsigned char* conditioning
) {
    launch(max(vertices, size * size), project, face, neutral, expression, vertices, face_vertices, points, size * size,
           keys);
    launch(count, rasterize, points, triangles, count, size, keys);
    const float* outlines = points + 3 * (vertices - LIP_POINTS - 2 * EYE_POINTS);
    launch(size * size, compose, face, keys, colors, face_triangles, outlines, size, conditioning);
}
