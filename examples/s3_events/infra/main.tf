# The three ways to wire a bucket to functions (examples/s3_events/README.md). S3 invokes the functions directly.

locals {
  created = ["s3:ObjectCreated:*"]
  deleted = ["s3:ObjectRemoved:*", "s3:LifecycleExpiration:*"] # S3 has no s3:*, and lifecycle deletions have their own type

  ways = {
    two_modules = {
      extract = { handler = "examples.s3_events.extract.handler", events = local.created }
      nuke    = { handler = "examples.s3_events.nuke.handler", events = local.deleted }
    }
    two_handlers = {
      create = { handler = "examples.s3_events.s3in.handle_create", events = local.created }
      delete = { handler = "examples.s3_events.s3in.handle_delete", events = local.deleted }
    }
    one_handler = {
      all = { handler = "examples.s3_events.s3event.handler", events = concat(local.created, local.deleted) }
    }
  }

  functions = local.ways[var.wiring]
}

module "function" {
  for_each             = local.functions
  source               = "../../../infra/modules/function"
  name                 = "${local.prefix}-${each.key}"
  description          = "Example: ${join(", ", each.value.events)}"
  package              = var.package
  handler              = each.value.handler
  runtime              = var.runtime
  architecture         = var.architecture
  layers               = var.layers
  policy               = local.policy
  letters_arn          = var.letters.arn
  owner                = { partition = local.partition, region = var.region, account = local.account }
  kms_key_arn          = var.kms_key_arn
  memory               = 512
  timeout              = 60
  reserved_concurrency = -1
  trace                = false
  log_retention        = 30
  subnet_ids           = []
  security_group_ids   = []
  alarm_actions        = []

  variables = {
    SEARCH_URL             = var.search_url
    STREAMDEX_NAMES        = "bucket/images-in=${var.bucket.name}"
    STREAMDEX_DEAD_LETTERS = "s3://${var.letters.name}/dead-letters"
  }
}

locals {
  # The example reads no objects. After a delete event it checks if the object still exists.
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      { Sid = "List", Effect = "Allow", Action = "s3:ListBucket", Resource = var.bucket.arn },
      { Sid = "Look", Effect = "Allow", Action = "s3:GetObject", Resource = "${var.bucket.arn}/*" },
      { Sid = "KeepLetters", Effect = "Allow", Action = "s3:PutObject", Resource = "${var.letters.arn}/dead-letters/*" },
    ]
  })
}

resource "aws_lambda_permission" "bucket" {
  for_each       = module.function
  statement_id   = "from-bucket"
  action         = "lambda:InvokeFunction"
  function_name  = each.value.name
  principal      = "s3.amazonaws.com"
  source_arn     = var.bucket.arn
  source_account = local.account
}

resource "aws_s3_bucket_notification" "bucket" {
  bucket     = var.bucket.name
  depends_on = [aws_lambda_permission.bucket]

  dynamic "lambda_function" {
    for_each = local.functions

    content {
      id                  = lambda_function.key
      lambda_function_arn = module.function[lambda_function.key].arn
      events              = lambda_function.value.events
    }
  }
}
