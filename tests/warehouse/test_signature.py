"""Signed requests, by the examples that Amazon publishes for Signature Version 4 with S3."""

from __future__ import annotations

import calendar

from warehouse.signature import query, signed

# https://docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-header-based-auth.html
KEY = {"access_key": "AKIAIOSFODNN7EXAMPLE", "secret": "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"}
HOST, NOW = "examplebucket.s3.amazonaws.com", float(calendar.timegm((2013, 5, 24, 0, 0, 0)))


def mark(method: str, path: str, asked: dict[str, str], headers: dict[str, str], body: bytes = b"") -> str:
    sent = signed(method, HOST, path, query(asked), headers, body, **KEY, region="us-east-1", now=NOW)
    return sent["authorization"].rpartition("=")[2]


def test_an_object_is_read_in_part() -> None:
    assert mark("GET", "/test.txt", {}, {"Range": "bytes=0-9"}) == (
        "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41"
    )


def test_an_object_is_written() -> None:
    headers = {"Date": "Fri, 24 May 2013 00:00:00 GMT", "x-amz-storage-class": "REDUCED_REDUNDANCY"}
    assert mark("PUT", "/test%24file.text", {}, headers, b"Welcome to Amazon S3.") == (
        "98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd"
    )


def test_a_bucket_is_asked_about_and_listed() -> None:
    assert mark("GET", "/", {"lifecycle": ""}, {}) == (
        "fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543"
    )
    assert mark("GET", "/", {"prefix": "J", "max-keys": "2"}, {}) == (
        "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7"
    )
