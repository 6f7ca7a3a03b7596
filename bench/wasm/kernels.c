/*
 * What fuel costs: small computations of different kinds, each a function that gives a number to compare by. They
 * are the hard cases: loops of a few instructions, functions that do little but call themselves.
 */
#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define KERNEL(name) __attribute__((export_name(#name))) int name(void)

static uint32_t next(uint32_t state)
{
    return state * 1664525 + 1013904223;
}

static __attribute__((noinline)) int fibonacci(int n)
{
    return n < 2 ? n : fibonacci(n - 1) + fibonacci(n - 2);
}

KERNEL(recursion)
{
    return fibonacci(30);
}

KERNEL(sieve)
{
    static uint8_t prime[1000000];
    int count = 0;
    memset(prime, 1, sizeof prime);
    for (int i = 2; i < 1000000; i++) {
        if (!prime[i])
            continue;
        count++;
        for (int j = i * 2; j < 1000000; j += i)
            prime[j] = 0;
    }
    return count;
}

KERNEL(matrices)
{
    static double a[160][160], b[160][160], c[160][160];
    for (int i = 0; i < 160; i++)
        for (int j = 0; j < 160; j++)
            a[i][j] = i + j, b[i][j] = i - j;
    for (int i = 0; i < 160; i++)
        for (int j = 0; j < 160; j++) {
            double sum = 0;
            for (int k = 0; k < 160; k++)
                sum += a[i][k] * b[k][j];
            c[i][j] = sum;
        }
    return (int)c[3][4];
}

static int compare(const void *one, const void *other)
{
    int a = *(const int *)one, b = *(const int *)other;
    return a < b ? -1 : a > b;
}

KERNEL(sorting)
{
    static int numbers[50000];
    uint32_t state = 1;
    for (int i = 0; i < 50000; i++)
        numbers[i] = (state = next(state)) >> 8;
    qsort(numbers, 50000, sizeof *numbers, compare);
    return numbers[1000];
}

KERNEL(fractal)
{
    int sum = 0;
    for (int y = 0; y < 120; y++)
        for (int x = 0; x < 120; x++) {
            double cr = x / 60.0 - 1.5, ci = y / 60.0 - 1, zr = 0, zi = 0;
            int i = 0;
            for (; i < 300 && zr * zr + zi * zi < 4; i++) {
                double t = zr * zr - zi * zi + cr;
                zi = 2 * zr * zi + ci;
                zr = t;
            }
            sum += i;
        }
    return sum;
}

KERNEL(strings)
{
    static char text[400];
    int sum = 0;
    for (int i = 0; i < 100000; i++) {
        int length = 100 + i % 100;
        memset(text, 'a', length);
        text[length] = 0;
        sum += strlen(text) + (strchr(text, 'b') != NULL);
    }
    return sum;
}

struct node {
    struct node *left, *right;
    int key;
};

static struct node *insert(struct node *tree, int key)
{
    if (!tree) {
        tree = calloc(1, sizeof *tree);
        tree->key = key;
        return tree;
    }
    if (key < tree->key)
        tree->left = insert(tree->left, key);
    else
        tree->right = insert(tree->right, key);
    return tree;
}

static int release(struct node *tree)
{
    if (!tree)
        return 0;
    int sum = tree->key + release(tree->left) + release(tree->right);
    free(tree);
    return sum;
}

KERNEL(trees)
{
    struct node *tree = NULL;
    uint32_t state = 7;
    for (int i = 0; i < 30000; i++)
        tree = insert(tree, (state = next(state)) >> 4);
    return release(tree);
}

KERNEL(bodies)
{
    double place[5][3], speed[5][3] = {0};
    for (int i = 0; i < 5; i++)
        for (int k = 0; k < 3; k++)
            place[i][k] = i * 3.1 + k * 1.7;
    for (int step = 0; step < 50000; step++) {
        for (int i = 0; i < 5; i++)
            for (int j = i + 1; j < 5; j++) {
                double way[3], square = 0;
                for (int k = 0; k < 3; k++)
                    way[k] = place[i][k] - place[j][k], square += way[k] * way[k];
                double pull = 0.001 / (square * sqrt(square));
                for (int k = 0; k < 3; k++)
                    speed[i][k] -= way[k] * pull, speed[j][k] += way[k] * pull;
            }
        for (int i = 0; i < 5; i++)
            for (int k = 0; k < 3; k++)
                place[i][k] += speed[i][k] * 0.001;
    }
    return (int)(place[0][0] * 1000);
}

int main(void)
{
    return 0;
}
