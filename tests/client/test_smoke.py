from currant_lab.client.job import job

@job
def double(x: int) -> int:
    return 2 * x

def test_one(client, hand):
    e = double.submit(4)
    assert e.status == "pending"
    hand.finish(value=8)
    assert e.result(5) == 8
    b = double.map(range(10))
    print(b.counts())
    hand.finish(10, value=lambda row: 3)
    assert b.results(5) == [3]*10
    print(b.to_frame())
