mock_provider "aws" {
  source          = "../mocks"
  override_during = plan
}

variables {
  environment  = "test"
  region       = "eu-west-1"
  package      = "tests/lambda.tftest.hcl"
  runtime      = "python3.14"
  architecture = "arm64"
  layers       = ["arn:aws:lambda:eu-west-1:111122223333:layer:made:1"]
  settings     = { SEARCH_URL = "https://search.example.com" }
  letters_arn  = "arn:aws:s3:::acme-letters"
  queues       = { pending-images = "arn:aws:sqs:eu-west-1:111122223333:pending-images" }

  policy = "{\"Version\":\"2012-10-17\",\"Statement\":[{\"Sid\":\"Write\",\"Effect\":\"Allow\",\"Action\":\"dynamodb:PutItem\",\"Resource\":\"arn:aws:dynamodb:eu-west-1:111122223333:table/images\"}]}"

  streams = {
    images = { arn = "arn:aws:dynamodb:eu-west-1:111122223333:table/images/stream/2026", filters = [] }
    people = { arn = "arn:aws:dynamodb:eu-west-1:111122223333:table/people/stream/2026", filters = ["{\"dynamodb\":{\"Keys\":{\"PK\":{\"S\":[{\"prefix\":\"USER#\"}]}}}}"] }
  }

  buckets = {
    images-in = { name = "acme-in", arn = "arn:aws:s3:::acme-in", events = ["s3:ObjectCreated:*"], suffix = ".jpg" }
  }
}

run "a_stream_is_read_so_that_nothing_is_lost" {
  command = plan

  assert {
    condition     = toset([for mapping in aws_lambda_event_source_mapping.stream : mapping.event_source_arn]) == toset([for stream in values(var.streams) : stream.arn])
    error_message = "The number of mappings differs from the number of streams."
  }

  assert {
    condition     = alltrue([for mapping in aws_lambda_event_source_mapping.stream : mapping.function_response_types == toset(["ReportBatchItemFailures"])])
    error_message = "A batch with one failure would be redelivered as a whole."
  }

  assert {
    condition     = alltrue([for mapping in aws_lambda_event_source_mapping.stream : mapping.bisect_batch_on_function_error])
    error_message = "A batch that fails is not bisected."
  }

  assert {
    condition     = alltrue([for mapping in aws_lambda_event_source_mapping.stream : mapping.maximum_retry_attempts == 10000 && mapping.maximum_record_age_in_seconds == 82800])
    error_message = "Retries are not limited by a record age below the retention of the stream."
  }

  assert {
    condition     = alltrue([for mapping in aws_lambda_event_source_mapping.stream : mapping.destination_config[0].on_failure[0].destination_arn == var.letters_arn])
    error_message = "An event that Lambda gives up is not stored as a whole."
  }

  assert {
    condition     = alltrue([for mapping in aws_lambda_event_source_mapping.stream : mapping.starting_position == "TRIM_HORIZON" && mapping.parallelization_factor == 1])
    error_message = "Records from before the mapping would be skipped."
  }
}

run "filters_are_what_the_routes_want" {
  command = plan

  assert {
    condition     = length(aws_lambda_event_source_mapping.stream["images"].filter_criteria) == 0
    error_message = "Records would be filtered although the routes want all."
  }

  assert {
    condition     = toset([for filter in aws_lambda_event_source_mapping.stream["people"].filter_criteria[0].filter : filter.pattern]) == toset(var.streams["people"].filters)
    error_message = "The filters of the mapping differ from those of the routes."
  }
}

run "a_queue_answers_for_each_message" {
  command = plan

  assert {
    condition     = aws_lambda_event_source_mapping.queue["pending-images"].function_response_types == toset(["ReportBatchItemFailures"])
    error_message = "Processed messages would be redelivered."
  }

  assert {
    condition     = aws_lambda_event_source_mapping.queue["pending-images"].event_source_arn == var.queues["pending-images"]
    error_message = "Another queue is read."
  }
}

run "buckets_invoke_the_function_only_with_s3_direct" {
  command = plan

  assert {
    condition     = length(aws_s3_bucket_notification.bucket) == 0 && length(aws_lambda_permission.bucket) == 0
    error_message = "A bucket's notifications would be replaced."
  }
}

run "only_the_bucket_may_call_it" {
  command = plan

  variables {
    s3_direct = true
  }

  assert {
    condition = alltrue([for permission in aws_lambda_permission.bucket : (
      permission.principal == "s3.amazonaws.com" && permission.source_arn == "arn:aws:s3:::acme-in" && permission.source_account == "111122223333"
    )])
    error_message = "Other principals can invoke the function."
  }

  assert {
    condition = (
      tolist(aws_s3_bucket_notification.bucket["images-in"].lambda_function[0].events) == tolist(["s3:ObjectCreated:*"]) &&
      aws_s3_bucket_notification.bucket["images-in"].lambda_function[0].filter_suffix == ".jpg"
    )
    error_message = "The bucket notifies other events."
  }

  assert {
    condition     = aws_lambda_function_event_invoke_config.direct[0].destination_config[0].on_failure[0].destination == var.letters_arn
    error_message = "An event that is not redelivered is lost."
  }
}

run "alarms" {
  command = plan

  assert {
    condition     = aws_cloudwatch_metric_alarm.iterator_age[0].metric_name == "IteratorAge" && aws_cloudwatch_metric_alarm.iterator_age[0].threshold == 900000
    error_message = "No alarm reports a stream that lags by 15 minutes."
  }

  assert {
    condition     = strcontains(one(aws_cloudwatch_metric_alarm.dead_letters.metric_query).expression, "SUM(dead_letters) FROM SCHEMA(streamdex, FunctionName, route) WHERE FunctionName = 'streamdex-test'")
    error_message = "No alarm reports dead letters."
  }
}

run "a_function_for_some_routes_has_a_name_of_its_own" {
  command = plan

  variables {
    function = "images-worker"
  }

  assert {
    condition     = module.function.name == "streamdex-test-images-worker"
    error_message = "Two functions of one deployment would have the same name."
  }
}

run "limits_that_would_lose_records_are_refused" {
  command = plan

  variables {
    maximum_record_age = 86400
  }

  expect_failures = [var.maximum_record_age]
}

run "function" {
  command = plan

  module {
    source = "../modules/function"
  }

  variables {
    name                 = "streamdex-test"
    description          = "A test"
    handler              = "service.entrypoints.lambda_handler.handler"
    variables            = { SEARCH_URL = "https://search.example.com" }
    secrets_path         = "/streamdex-test"
    owner                = { partition = "aws", region = "eu-west-1", account = "111122223333" }
    memory               = 512
    timeout              = 60
    reserved_concurrency = 5
    trace                = false
    log_retention        = 30
    subnet_ids           = []
    security_group_ids   = []
    alarm_actions        = []
  }

  assert {
    condition     = aws_iam_role_policy.routes[0].policy == var.policy
    error_message = "The policy differs from the one that is derived from the routes."
  }

  assert {
    condition = toset(flatten([for statement in jsondecode(aws_iam_role_policy.own.policy).Statement : statement.Resource])) == toset([
      "arn:aws:logs:eu-west-1:111122223333:log-group:made:*",
      "arn:aws:s3:::acme-letters",
      "arn:aws:s3:::acme-letters/aws/lambda/*",
      "arn:aws:ssm:eu-west-1:111122223333:parameter/streamdex-test",
    ])
    error_message = "The function has permissions for other resources."
  }

  assert {
    condition     = jsondecode(aws_iam_role.this.assume_role_policy).Statement[0].Principal == { Service = "lambda.amazonaws.com" }
    error_message = "Other principals can assume the role of the function."
  }

  assert {
    condition     = aws_cloudwatch_log_group.this.name == "/aws/lambda/streamdex-test" && aws_cloudwatch_log_group.this.retention_in_days == 30
    error_message = "The log has another name, or is never deleted."
  }

  assert {
    condition     = aws_lambda_function.this.reserved_concurrent_executions == 5
    error_message = "Concurrency is not reserved."
  }

  assert {
    condition     = toset(keys(aws_cloudwatch_metric_alarm.this)) == toset(["Errors", "Throttles"])
    error_message = "No alarm reports errors and throttles."
  }
}
