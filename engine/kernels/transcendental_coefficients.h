// The numbers of the canonical exp, log, tanh, sin, cos, erf: one table for the
// scalar functions (transcendental.cc) and the vectors (transcendental-inl.h).
// Polynomials: highest power first. Source: Cephes' expf, logf and sinf
// (S. L. Moshier, netlib.org/cephes), evaluated with fma; those of erf, tanh,
// exp_below_zero and gelu are our own, least in their greatest error.
#ifndef LOCKSTEP_ENGINE_KERNELS_TRANSCENDENTAL_COEFFICIENTS_H_
#define LOCKSTEP_ENGINE_KERNELS_TRANSCENDENTAL_COEFFICIENTS_H_

#include <cstdint>

namespace lockstep::kernels {

// ln 2 in two parts; the first has so few bits that n * kLn2High is exact.
inline constexpr float kLn2High = 0.693359375f;
inline constexpr float kLn2Low = -2.12194440e-4f;
inline constexpr float kLog2OfE = 1.44269504088896341f;

// Beyond these exp is surely +0 and +Inf; within them the exponent arithmetic holds.
inline constexpr float kExpLowest = -104.0f;
inline constexpr float kExpHighest = 89.0f;
// Above it exp(x) is a normal number.
inline constexpr float kExpBelowZeroLowest = -87.0f;
// Below it exp(x) - 1 rounds to -1.
inline constexpr float kExpm1Lowest = -20.0f;
// 1.5 * 2^23: added to a number below 2^22 in size it rounds it to a whole one,
// to nearest even, which then stands in the low bits.
inline constexpr float kRoundingShift = 12582912.0f;

// exp(r) = 1 + r + r^2 P(r), |r| <= ln(2) / 2.
inline constexpr float kExp[] = {1.9875691500e-4f, 1.3981999507e-3f, 8.3334519073e-3f,
                                 4.1665795894e-2f, 1.6666665459e-1f, 5.0000001201e-1f};

// The same, one power less: its error of 3e-9 adds a twentieth of an ulp.
inline constexpr float kExpBelowZero[] = {1.38189388e-3f, 8.36870354e-3f, 4.16682884e-2f,
                                          1.66665211e-1f, 4.9999994e-1f};

// log(1 + f) = f - f^2 / 2 + f^3 P(f), sqrt(1/2) <= 1 + f < sqrt(2).
inline constexpr float kLog[] = {7.0376836292e-2f,  -1.1514610310e-1f, 1.1676998740e-1f,
                                 -1.2420140846e-1f, 1.4249322787e-1f,  -1.6668057665e-1f,
                                 2.0000714765e-1f,  -2.4999993993e-1f, 3.3333331174e-1f};
// The bits of sqrt(1/2), the least mantissa.
inline constexpr int32_t kSqrtHalfBits = 0x3f3504f3;
// Denormals are lifted by 2^23 first.
inline constexpr float kSmallestNormal = 1.17549435e-38f;
inline constexpr float kDenormalLift = 8388608.0f;
inline constexpr float kDenormalExponent = 23.0f;

// pi / 2 in three parts, each the float32 nearest to what is left: 72 bits.
inline constexpr float kHalfPiHigh = 0x1.921fb6p+0f;
inline constexpr float kHalfPiMiddle = -0x1.777a5cp-25f;
inline constexpr float kHalfPiLow = -0x1.ee59dap-50f;
inline constexpr float kTwoOverPi = 0.636619772f;
// Beyond it the three parts are too short: the whole product with 2 / pi is taken.
inline constexpr float kLargestHalfPiMultiple = 131072.0f;
// sin(r) = r + r^3 P(r^2) and cos(r) = 1 + r^2 (r^2 P(r^2) - 1/2), |r| <= pi / 4.
inline constexpr float kSine[] = {-1.9515295891e-4f, 8.3321608736e-3f, -1.6666654611e-1f};
inline constexpr float kCosine[] = {2.443315711809948e-5f, -1.388731625493765e-3f,
                                    4.166664568298827e-2f};

// erf(a) = a + a P(a^2), 0 <= a < kErfSmall.
inline constexpr float kErfNear[] = {-7.641705307e-6f, 1.043179377e-4f,  -8.347800079e-4f,
                                     5.209904065e-3f,  -2.686074056e-2f, 1.128368812e-1f,
                                     -3.761263136e-1f, 1.283791662e-1f};
inline constexpr float kErfSmall = 1.25f;
// erf(a) = P(a - kErfMiddle), kErfSmall <= a <= kErfLargest; 1 beyond.
inline constexpr float kErfFar[] = {
    -8.447214628e-6f, 1.974819616e-5f,  5.928871875e-5f, -2.734379742e-4f, 2.899083213e-4f,
    5.62058849e-4f,   -2.819859863e-3f, 6.108704978e-3f, -8.615135085e-3f, 8.351799647e-3f,
    -5.446614972e-3f, 2.178183462e-3f,  9.995930662e-1f};
inline constexpr float kErfMiddle = 2.5f;
inline constexpr float kErfLargest = 3.925f;

// Functions of a >= 0 by eight polynomials, each about a centre of its own: a row
// for each power of a - centre, the highest first, a column for each centre. A
// vector takes its lanes' coefficients from a row by one permutation.

// tanh. The column is that of the last three bits of (bits of a + kTanhOffset)
// >> 22: exponent and first bit of the mantissa.
inline constexpr float kTanhOffset = 0.75f;
// From here on the last polynomial is held: it rounds to 1 here.
inline constexpr float kTanhLargest = 9.125f;
inline constexpr float kTanhCentres[8] = {1.75f, 2.75f, 4.25f, 6.25f, 8.25f, 0.0f, 0.5f, 1.0f};
inline constexpr float kTanh[8][8] = {
    {-0.0019998122f, 0.000101152953f, 1.13603401e-05f, 2.10424616e-07f, 3.87241972e-09f,
     -0.0444527678f, 0.0247788336f, 0.00126347132f},
    {0.00246624532f, -0.000564982533f, -4.05660285e-05f, -8.46748719e-07f, -5.63878871e-07f,
     -0.00425757654f, -0.0503718518f, 0.0154502094f},
    {0.00369926449f, 0.00190412672f, 0.000106754247f, 1.97524105e-06f, 3.61586991e-08f, 0.13412793f,
     -0.0269460473f, -0.0461720005f},
    {-0.0236058868f, -0.00509273494f, -0.000267636962f, -4.7818894e-06f, 7.35603464e-07f,
     -7.13196059e-05f, 0.164732337f, 0.0279897545f},
    {0.0629217774f, 0.0105465809f, 0.000542011461f, 9.93917729e-06f, 1.82054734e-07f, -0.333330452f,
     -0.0942078158f, 0.103600927f},
    {-0.107134983f, -0.0160829779f, -0.00081362779f, -1.49634843e-05f, -5.83161466e-07f,
     -3.83078991e-08f, -0.363432854f, -0.319856107f},
    {0.113812089f, 0.0162142869f, 0.000813520572f, 1.49065017e-05f, 2.73024114e-07f, 1.0f,
     0.786447763f, 0.419974357f},
    {0.941375494f, 0.991859734f, 0.999593139f, 0.999992549f, 0.999999881f, 0.0f, 0.462117165f,
     0.761594176f},
};

// Phi(a) - 1/2, Phi the normal distribution's. The column is n = a / step rounded
// to nearest, the centre n * step; from `largest` on it is 1/2.
inline constexpr float kNormalStep = 0.75f;
inline constexpr float kNormalStepsPerUnit = 1.33333333f;
inline constexpr float kNormalLargest = 5.5625f;
inline constexpr float kNormal[8][8] = {
    {-0.000557114021f, 0.000345364359f, 0.000542955939f, -0.000255022576f, -8.61661756e-05f,
     2.94364545e-05f, 9.82921483e-06f, 9.2708035e-07f},
    {-0.00074155844f, -0.00298748771f, 0.00071455061f, 0.000901440799f, -0.000119602955f,
     -6.13361262e-05f, -2.54743391e-05f, -0.000189942337f},
    {0.0103298901f, -0.000151253247f, -0.00586598692f, -0.000462428638f, 0.0011081117f,
     0.00034201995f, 3.882276e-05f, 2.05123547e-06f},
    {-8.57963823e-05f, 0.0229374394f, 0.00605297461f, -0.00611933554f, -0.00332047767f,
     -0.000624470529f, -5.11230974e-05f, 3.75348573e-05f},
    {-0.0664798394f, -0.0219574422f, 0.0269826334f, 0.0214903913f, 0.00590912765f, 0.000767629128f,
     5.12814186e-05f, 1.82779229e-06f},
    {-5.98297788e-07f, -0.112926699f, -0.0971371159f, -0.0357080251f, -0.00664798357f,
     -0.000660325226f, -3.5991543e-05f, -3.18158027e-06f},
    {0.398942292f, 0.301137418f, 0.1295176f, 0.0317396522f, 0.00443184841f, 0.000352595671f,
     1.59837418e-05f, 4.12847101e-07f},
    {0.0f, 0.27337265f, 0.43319279f, 0.487775534f, 0.498650104f, 0.499911577f, 0.499996603f,
     0.49999994f},
};

// gelu'(a) - 1/2 = Phi(a) - 1/2 + a phi(a), likewise.
inline constexpr float kGeluSlopeStep = 0.828125f;
inline constexpr float kGeluSlopeStepsPerUnit = 1.20754717f;
inline constexpr float kGeluSlopeLargest = 6.125f;
inline constexpr float kGeluSlope[8][8] = {
    {-0.00734261842f, 0.00538789993f, 0.000210005543f, -0.00163607998f, 0.000540368957f,
     2.73344376e-05f, -2.1074773e-05f, -1.75766934e-06f},
    {-0.0020879677f, -0.0160972364f, 0.0112409554f, -0.000766851881f, -0.00157672598f,
     8.02716022e-06f, 0.000118819706f, -3.40717852e-05f},
    {0.0607281588f, -0.0230084322f, -0.0186941028f, 0.0117875654f, 0.000879264902f,
     -0.000751109561f, -9.46305663e-05f, -3.60901049e-06f},
    {-0.000196590641f, 0.106689818f, -0.0324271806f, -0.0222395044f, 0.00407817075f, 0.00165002979f,
     0.000111180576f, 1.32944451e-05f},
    {-0.265938729f, 0.015580426f, 0.129507199f, 0.00337074278f, -0.0131099233f, -0.00223905244f,
     -0.000127605555f, -3.01375258e-06f},
    {-1.23886286e-06f, -0.388540298f, -0.105346374f, 0.0491705202f, 0.0190850794f, 0.00205201935f,
     9.03708788e-05f, 1.11443853e-06f},
    {0.797884583f, 0.372097641f, -0.0752184391f, -0.0760340467f, -0.0148302699f, -0.00114348962f,
     -3.9416751e-05f, -6.36333937e-07f},
    {0.0f, 0.530670702f, 0.618799686f, 0.538787127f, 0.505012691f, 0.500295341f, 0.500008285f,
     0.500000119f},
};

}  // namespace lockstep::kernels

#endif  // LOCKSTEP_ENGINE_KERNELS_TRANSCENDENTAL_COEFFICIENTS_H_
